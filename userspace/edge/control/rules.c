// SPDX-License-Identifier: MIT
/* The server's rules in the edge's table: what a push, a replay and a revocation mean, and the saved set. */
#include "edge/control/rules.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "edge/account/account.h"
#include "edge/rules/apply.h"
#include "edge/rules/table.h"
#include "edge/target/service.h"
#include "edge/target/source.h"
#include "edge/control/saved.h"
#include "edge/loop/offload.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"
#include "lib/rule/listen.h"
#include "lib/rule/rule.h"

#define SAVE_DELAY_MS	200
#define SAVE_RETRY_SECS 5
#define SAVE_DELAY_NS	(SAVE_DELAY_MS * NS_PER_MS)

static const struct timeval save_delay = {.tv_usec = SAVE_DELAY_MS * 1000};
static const struct timeval save_retry = {.tv_sec = SAVE_RETRY_SECS};

struct control_rules {
	struct control_rules_config config;
	char *path, *scope;
	struct event *save;
	uint64_t begun_ns; /* when a write was last begun */
	uint64_t changes;  /* of the table, so far */
	uint64_t on_disk;  /* up to this change */
	bool writing, again;
	bool save_fails; /* and that was logged */
	size_t unconfirmed;
	bool revoked;
	bool settled; /* the accounting knows that every rule has come */
};

/* ---- the saved set ---- */

/* A new content of the file on its way to the disk. No content: the file goes. */
struct save {
	struct offload_job job;
	struct control_rules *rules;
	uint64_t upto; /* the last change in it */
	uint8_t *content;
	size_t len;
	int err;
	char path[];
};

static void collect(struct rule_state *rs, void *arg)
{
	struct saved_set *set = arg;

	set->rules[set->n++] = rs->service->rule;
}

static void collect_owner(struct owner *owner, void *arg)
{
	struct saved_set *set = arg;

	if (owner->capped)
		set->owners[set->n_owners++] = (struct saved_owner){.id = owner->id,
								    .limit = owner->caps->limit};
}

/* The arrays alone are to be freed. */
static bool collect_all(struct rule_table *t, struct saved_set *set)
{
	*set = (struct saved_set){
		.rules = calloc(rule_table_size(t) + 1, sizeof(*set->rules)),
		.owners = calloc(HASH_COUNT(t->owners.table) + 1, sizeof(*set->owners)),
	};
	if (!set->rules || !set->owners)
		return false;
	rule_table_each(t, collect, set);
	owners_each(&t->owners, collect_owner, set);
	return true;
}

static int pack(struct control_rules *r, struct save *s)
{
	struct saved_set set;
	int err = -ENOMEM;

	if (collect_all(r->config.table, &set))
		err = saved_pack(r->scope, &set, &s->content, &s->len);
	free(set.rules);
	free(set.owners);
	return err;
}

static void work(struct offload_job *job)
{
	struct save *s = container_of(job, struct save, job);

	s->err = s->content ? saved_store(s->path, s->content, s->len) : saved_delete(s->path);
}

static void done(struct offload_job *job);

static struct save *save_new(struct control_rules *r)
{
	size_t size = strlen(r->path) + 1;
	struct save *s = calloc(1, sizeof(*s) + size);

	if (!s)
		return NULL;
	memcpy(s->path, r->path, size);
	s->rules = r;
	s->upto = r->changes;
	s->job.work = work;
	s->job.done = done;
	return s;
}

static void tell_of_failure(struct control_rules *r, int err)
{
	if (!r->save_fails)
		log_event(LOG_ERROR, "rules.save_failed", LOGF_STR("path", r->path),
			  LOGF_STR("error", strerror(-err)),
			  LOGF_STR("hint", "rules are served all the same; a restart without "
					   "the server would bring back an older set"));
	r->save_fails = true;
	evtimer_add(r->save, &save_retry);
}

void control_rules_flush(struct control_rules *r)
{
	struct save *s;
	int err;

	if (r->on_disk == r->changes || r->revoked)
		return;
	r->again = r->writing;
	if (r->writing)
		return;
	s = save_new(r);
	err = s ? pack(r, s) : -ENOMEM;
	if (err) {
		free(s);
		tell_of_failure(r, err);
		r->config.saved(r->config.arg, r->changes);
		return;
	}
	evtimer_del(r->save);
	r->writing = true;
	r->begun_ns = clock_mono_ns();
	offload_post(r->config.files, &s->job);
}

static void done(struct offload_job *job)
{
	struct save *s = container_of(job, struct save, job);
	struct control_rules *r = s->rules;
	uint64_t upto = s->upto;
	int err = s->err;

	if (!s->content && err)
		log_event(LOG_ERROR, "rules.delete_failed", LOGF_STR("path", r->path),
			  LOGF_STR("error", strerror(-err)),
			  LOGF_STR("hint", "remove the file: a restart would serve these rules"));
	if (s->content) {
		r->writing = false;
		if (err)
			tell_of_failure(r, err);
		else if (r->save_fails)
			log_event(LOG_INFO, "rules.saved", LOGF_STR("path", r->path));
		if (!err) {
			r->save_fails = false;
			r->on_disk = upto;
		}
	}
	free(s->content);
	free(s);
	r->config.saved(r->config.arg, upto);
	if (r->again && !err)
		control_rules_flush(r);
}

static void on_save(evutil_socket_t fd, short what, void *arg)
{
	control_rules_flush(arg);
}

void control_rules_changed(struct control_rules *r)
{
	r->changes++;
	if (!r->revoked && !evtimer_pending(r->save, NULL))
		evtimer_add(r->save, &save_delay);
}

/* A rule that went must not come back by a crash; many that go at once cost one write. */
static void save_soon(struct control_rules *r)
{
	if (r->writing || clock_mono_ns() - r->begun_ns >= SAVE_DELAY_NS)
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

static void mark_owner(struct owner *owner, void *arg)
{
	owner->unconfirmed = owner->capped;
}

void control_rules_session(struct control_rules *r, bool names_owners)
{
	r->revoked = false;
	r->unconfirmed = 0;
	rule_table_each(r->config.table, mark, r);
	if (names_owners)
		owners_each(&r->config.table->owners, mark_owner, NULL);
}

void control_rules_load(struct control_rules *r)
{
	struct saved_set set;
	int err = saved_read(r->path, r->scope, &set);

	if (err == -ENOENT)
		return;
	if (!err) {
		/* Before the first client of a rule can come. */
		for (size_t i = 0; i < set.n_owners; i++)
			rule_table_cap_owner(r->config.table, set.owners[i].id,
					     &set.owners[i].limit);
		err = rule_table_apply(r->config.table, set.rules, set.n);
		saved_set_free(&set);
	}
	if (err) {
		explain_unreadable(r, err);
		return;
	}
	control_rules_session(r, false);
	log_event(LOG_INFO, "rules.restored", LOGF_STR("path", r->path), LOGF_UINT("rules", set.n));
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
	rule_table_remove(r->config.table, rs->id);
}

/* Whether the edge serves this rule on its port already: then nobody is in its way. */
static bool holds_port(const struct rule_state *rs, const struct rule *rule)
{
	return rs && rs->status == RULE_ACTIVE && rule_listens_alike(rs->service->rule, rule);
}

const char *control_rules_push(struct control_rules *r, const struct rule *rule)
{
	struct rule_table *e = r->config.table;
	struct rule_state *rs = rule_table_find(e, rule->id), *other;
	const char *lacking = NULL, *hint;

	/* What this host cannot do takes nothing away from a rule that is served. */
	if (rs && rs->status == RULE_ACTIVE)
		lacking = rs->group && rule->accept_proxy ? "option_conflict"
							  : source_lacking(rule, &hint);
	if (lacking) {
		confirm(r, rs);
		return lacking;
	}

	while (r->unconfirmed && !holds_port(rs, rule) && (other = rule_table_on_port(e, rule)) &&
	       other->unconfirmed)
		drop(r, other, "the server gave its port to another rule");
	rs = rule_table_push(e, rule);
	if (!rs)
		return "out_of_memory";
	confirm(r, rs);
	if (rs->refused[0])
		return rs->refused;
	return rs->status == RULE_FAILED ? rs->reason : NULL;
}

void control_rules_refused(struct control_rules *r, uint64_t rule_id)
{
	struct rule_state *rs = rule_table_find(r->config.table, rule_id);

	if (rs)
		confirm(r, rs);
}

bool control_rules_remove(struct control_rules *r, uint64_t rule_id, uint64_t *saved_by)
{
	struct rule_state *rs = rule_table_find(r->config.table, rule_id);

	if (!rs)
		return false;
	confirm(r, rs);
	/* Its news have counted the change (control_rules_changed). */
	rule_table_remove(r->config.table, rule_id);
	save_soon(r);
	*saved_by = r->revoked ? 0 : r->changes;
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

void control_rules_cap_owner(struct control_rules *r, const char *owner,
			     const struct rate_limit *limit)
{
	int changed = rule_table_cap_owner(r->config.table, owner, limit);

	if (changed > 0)
		control_rules_changed(r);
	else if (changed < 0)
		log_event(LOG_ERROR, "owner.caps_lost", LOGF_STR("owner", owner),
			  LOGF_STR("error", strerror(-changed)));
}

static void drop_owner_caps(struct owner *owner, void *arg)
{
	if (owner->unconfirmed)
		control_rules_cap_owner(arg, owner->id, NULL);
	owner->unconfirmed = false;
}

void control_rules_replayed(struct control_rules *r)
{
	struct gone g = {.ids = calloc(r->unconfirmed + 1, sizeof(*g.ids))};

	owners_each(&r->config.table->owners, drop_owner_caps, r);
	if (!g.ids)
		return;
	rule_table_each(r->config.table, collect_unconfirmed, &g);
	for (size_t i = 0; i < g.n; i++)
		drop(r, rule_table_find(r->config.table, g.ids[i]), "the server no longer has it");
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
	struct save *s = save_new(r);

	r->revoked = true;
	r->unconfirmed = 0;
	evtimer_del(r->save);
	/* Behind a write that is under way. */
	if (s)
		offload_post(r->config.files, &s->job);
	else
		saved_delete(r->path);
	if (rule_table_apply(r->config.table, NULL, 0) < 0)
		rule_table_stop_listening(r->config.table);
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
