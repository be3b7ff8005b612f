// SPDX-License-Identifier: MIT
/* The server's rules in the edge's table: what a push, a replay and a revocation mean, and the saved set. */
#include "edge/control_rules.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "edge/account.h"
#include "edge/apply.h"
#include "edge/ruleset.h"
#include "edge/saved.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/rule.h"

#define SAVE_DELAY_MS	200
#define SAVE_RETRY_SECS 5
#define SAVE_DELAY_NS	(SAVE_DELAY_MS * NS_PER_MS)

static const struct timeval save_delay = {.tv_usec = SAVE_DELAY_MS * 1000};
static const struct timeval save_retry = {.tv_sec = SAVE_RETRY_SECS};

struct control_rules {
	struct control_rules_config config;
	char *path, *scope;
	struct event *save;
	uint64_t saved_ns; /* when it was last written */
	size_t unconfirmed;
	bool dirty;	 /* the table differs from the saved set */
	bool save_fails; /* and that was logged */
	bool revoked;
	bool settled; /* the accounting knows that every rule has come */
};

/* ---- the saved set ---- */

struct collected {
	const struct rule **rules;
	size_t n;
};

static void collect(struct rule_state *rs, void *arg)
{
	struct collected *c = arg;

	c->rules[c->n++] = rs->service->rule;
}

static int write_saved(struct control_rules *r)
{
	size_t n = edge_rules(r->config.edge);
	struct collected c = {.rules = calloc(n + 1, sizeof(*c.rules))};
	int err = -ENOMEM;

	if (c.rules)
		edge_each(r->config.edge, collect, &c);
	if (c.rules && c.n == n)
		err = saved_write(r->path, r->scope, c.rules, n);
	free(c.rules);
	return err;
}

void control_rules_flush(struct control_rules *r)
{
	int err;

	if (!r->dirty || r->revoked)
		return;
	err = write_saved(r);
	r->saved_ns = clock_mono_ns();
	if (err) {
		if (!r->save_fails)
			log_event(LOG_ERROR, "rules.save_failed", LOGF_STR("path", r->path),
				  LOGF_STR("error", strerror(-err)),
				  LOGF_STR("hint",
					   "rules are served all the same; a restart without "
					   "the server would bring back an older set"));
		r->save_fails = true;
		evtimer_add(r->save, &save_retry);
		return;
	}
	if (r->save_fails)
		log_event(LOG_INFO, "rules.saved", LOGF_STR("path", r->path));
	r->save_fails = false;
	r->dirty = false;
	evtimer_del(r->save);
}

static void on_save(evutil_socket_t fd, short what, void *arg)
{
	control_rules_flush(arg);
}

void control_rules_changed(struct control_rules *r)
{
	r->dirty = true;
	if (!r->revoked && !evtimer_pending(r->save, NULL))
		evtimer_add(r->save, &save_delay);
}

/* A rule that went must not come back by a crash; many that go at once cost one write. */
static void save_soon(struct control_rules *r)
{
	if (clock_mono_ns() - r->saved_ns >= SAVE_DELAY_NS)
		control_rules_flush(r);
}

void control_rules_rescope(struct control_rules *r, const char *scope)
{
	char *copy = strcmp(scope, r->scope) ? strdup(scope) : NULL;

	if (!copy)
		return;
	free(r->scope);
	r->scope = copy;
	control_rules_changed(r);
}

static void explain_unreadable(const struct control_rules *r, int err)
{
	const char *why = err == -ESTALE    ? "it belongs to another server or client"
			  : err == -EBADMSG ? "it is damaged, or of another version's format"
					    : strerror(-err);

	log_event(LOG_WARN, "rules.saved_ignored", LOGF_STR("path", r->path),
		  LOGF_STR("reason", why),
		  LOGF_STR("hint", "rules are served once the server has sent them"));
}

static void mark(struct rule_state *rs, void *arg)
{
	struct control_rules *r = arg;

	rs->unconfirmed = true;
	r->unconfirmed++;
}

void control_rules_session(struct control_rules *r)
{
	r->revoked = false;
	r->unconfirmed = 0;
	edge_each(r->config.edge, mark, r);
}

size_t control_rules_load(struct control_rules *r)
{
	struct rule **rules;
	size_t n;
	int err = saved_read(r->path, r->scope, &rules, &n);

	if (err == -ENOENT)
		return 0;
	if (!err) {
		err = edge_apply(r->config.edge, rules, n);
		rules_free(rules, n);
	}
	if (err) {
		explain_unreadable(r, err);
		return 0;
	}
	control_rules_session(r);
	log_event(LOG_INFO, "rules.restored", LOGF_STR("path", r->path), LOGF_UINT("rules", n));
	return n;
}

/* ---- what the server says ---- */

static void confirm(struct control_rules *r, struct rule_state *rs)
{
	if (rs->unconfirmed)
		r->unconfirmed--;
	rs->unconfirmed = false;
}

static void drop(struct control_rules *r, struct rule_state *rs, const char *why)
{
	log_event(LOG_INFO, "control.rule_dropped", LOGF_UINT("rule", rs->id),
		  LOGF_UINT("port", rs->service->rule->listen_port), LOGF_STR("reason", why));
	confirm(r, rs);
	edge_remove(r->config.edge, rs->id);
}

/* Whether the edge serves this rule on its port already: then nobody is in its way. */
static bool holds_port(const struct rule_state *rs, const struct rule *rule)
{
	return rs && rs->status == RULE_ACTIVE &&
	       rs->service->rule->listen_port == rule->listen_port;
}

const char *control_rules_push(struct control_rules *r, const struct rule *rule)
{
	struct edge *e = r->config.edge;
	struct rule_state *rs = edge_find(e, rule->id), *other;

	while (r->unconfirmed && !holds_port(rs, rule) && (other = edge_on_port(e, rule)) &&
	       other->unconfirmed)
		drop(r, other, "the server gave its port to another rule");
	rs = edge_push(e, rule);
	if (!rs)
		return "out_of_memory";
	confirm(r, rs);
	return rs->status == RULE_FAILED ? rs->reason : NULL;
}

void control_rules_refused(struct control_rules *r, uint64_t rule_id)
{
	struct rule_state *rs = edge_find(r->config.edge, rule_id);

	if (rs)
		confirm(r, rs);
}

bool control_rules_remove(struct control_rules *r, uint64_t rule_id)
{
	struct rule_state *rs = edge_find(r->config.edge, rule_id);

	if (!rs)
		return false;
	confirm(r, rs);
	edge_remove(r->config.edge, rule_id);
	save_soon(r);
	return true;
}

struct gone {
	uint64_t *ids;
	size_t n;
};

static void collect_unconfirmed(struct rule_state *rs, void *arg)
{
	struct gone *g = arg;

	if (rs->unconfirmed)
		g->ids[g->n++] = rs->id;
}

void control_rules_replayed(struct control_rules *r)
{
	struct gone g = {.ids = calloc(r->unconfirmed + 1, sizeof(*g.ids))};

	if (!g.ids)
		return;
	edge_each(r->config.edge, collect_unconfirmed, &g);
	for (size_t i = 0; i < g.n; i++)
		drop(r, edge_find(r->config.edge, g.ids[i]), "the server no longer has it");
	if (g.n)
		save_soon(r);
	free(g.ids);
	/* Records of rules that did not come belong to nobody. */
	if (!r->settled)
		account_slots_settled(r->config.account);
	r->settled = true;
}

size_t control_rules_unconfirmed(const struct control_rules *r)
{
	return r->unconfirmed;
}

void control_rules_revoke(struct control_rules *r)
{
	int err;

	r->revoked = true;
	r->unconfirmed = 0;
	evtimer_del(r->save);
	err = saved_delete(r->path);
	if (err)
		log_event(LOG_ERROR, "rules.delete_failed", LOGF_STR("path", r->path),
			  LOGF_STR("error", strerror(-err)),
			  LOGF_STR("hint", "remove the file: a restart would serve these rules"));
	if (edge_apply(r->config.edge, NULL, 0) < 0)
		edge_stop_listening(r->config.edge);
}

/* ---- life ---- */

struct control_rules *control_rules_new(const struct control_rules_config *config)
{
	struct control_rules *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->config = *config;
	r->path = strdup(config->path);
	r->scope = strdup(config->scope);
	r->save = evtimer_new(config->base, on_save, r);
	if (r->path && r->scope && r->save)
		return r;
	control_rules_free(r);
	return NULL;
}

void control_rules_free(struct control_rules *r)
{
	if (!r)
		return;
	if (r->save)
		event_free(r->save);
	free(r->path);
	free(r->scope);
	free(r);
}
