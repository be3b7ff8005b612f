// SPDX-License-Identifier: MIT
/* What operators do to rules: push, update, remove. */
#include "server/fleet/push.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/utf8.h"
#include "lib/rule/listen.h"
#include "lib/rule/span.h"
#include "server/fleet/answer.h"
#include "server/fleet/desired.h"
#include "server/fleet/flush.h"
#include "server/fleet/history.h"
#include "server/fleet/sni.h"

/* A rule that is with the store. */
struct fleet_insert {
	LIST_ENTRY(fleet_insert) entry;
	struct fleet *f;
	struct fleet_rule *r;
	char client_id[STORE_ID_SIZE + 1];
	uint64_t id;
	struct fleet_push *push;
};

/* Why a port cannot be had: by @code, for @other has it. */
static void in_use(struct fleet_error *err, const struct fleet_client *c, const char *code,
		   const struct rule *other, const struct rule *rule, bool failed)
{
	int cut = utf8_cut(c->name, 100);
	unsigned port = rule_listens_common(other, rule);

	if (!other->id)
		fleet_error_set(err, 409, code, "%s: another push to port %u of %.*s is under way",
				code, port, cut, c->name);
	else if (!strcmp(code, "port_in_use"))
		fleet_error_set(err, 409, code,
				"port_in_use: port %u already in use: rule %llu of %.*s %s", port,
				(unsigned long long)other->id, cut, c->name,
				failed ? "waits, failed, for it" : "listens on it");
	else if (!strcmp(code, "conflict.legacy_to_sni_unsupported"))
		fleet_error_set(
			err, 409, code,
			"%s: rule %llu of %.*s has port %u for itself, and this edge cannot "
			"change that; remove it first",
			code, (unsigned long long)other->id, cut, c->name, rule->listen_port);
	else
		fleet_error_set(err, 409, code, "%s: rule %llu of %.*s %s on port %u", code,
				(unsigned long long)other->id, cut, c->name,
				rule->sni_pattern ? "has that sni_pattern"
						  : "is the fallback already",
				rule->listen_port);
	err->rule_id = other->id;
	err->port = (uint16_t)port;
}

/* A rule as it is, as it is about to be, and what the store has of it. */
static void meet(struct sni_neighbours *n, const struct fleet_rule *r, const struct rule *rule)
{
	const struct rule *const all[] = {r->rule, r->next, r->storing};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i])
			sni_meet(n, all[i], rule);
}

/* @self: the rule that @rule takes the place of, or NULL. */
static int check_port(struct fleet *f, const struct fleet_client *c, const struct rule *rule,
		      const struct fleet_rule *self, struct fleet_error *err)
{
	struct sni_neighbours n = {NULL};
	const struct fleet_insert *in;
	const struct fleet_rule *r;
	const struct rule *other;
	const char *code;

	LIST_FOREACH (in, &f->inserts, entry)
		if (!strcmp(in->client_id, c->id))
			sni_meet(&n, in->r->rule, rule);
	TAILQ_FOREACH (r, &c->rules, of_client)
		if (r != self)
			meet(&n, r, rule);
	code = sni_conflict(&n, rule, c->session->sni, &other);
	if (!code)
		return 0;
	r = other->id ? fleet_rule(f, other->id) : NULL;
	in_use(err, c, code, other, rule, r && r->state == FLEET_FAILED);
	return -1;
}

static int check_length(const struct fleet *f, const struct rule *rule, struct fleet_error *err)
{
	unsigned n = span_len(rule_span(rule)), most = f->range_ports_max;

	if (n == 1 || n <= most)
		return 0;
	fleet_error_set(err, 400, "exceeds_cap",
			"exceeds_cap: the range has %u ports and at most %u are allowed "
			"(range_rule_max_ports)",
			n, most);
	return -1;
}

/* An array of one target that has nothing but host and port is the old shape: what is stored and shown is the same
 * whichever was sent. */
static void normalise(struct rule *rule)
{
	rule->legacy = !rule_needs_list(rule);
}

/* The client that a rule is for, by name or id; the rule then has its name. */
static struct fleet_client *find_client(struct fleet *f, struct rule *rule)
{
	struct fleet_client *c = fleet_client_by_name(f, rule->client);
	char *name;

	if (!c)
		c = fleet_client(f, rule->client);
	if (!c || c->revoked_ms)
		return NULL;
	name = strcmp(c->name, rule->client) ? strdup(c->name) : NULL;
	if (name) {
		free(rule->client);
		rule->client = name;
	}
	return c;
}

static int not_connected(struct fleet_error *err, const char *name, bool known)
{
	fleet_error_set(err, 422, "client_not_connected",
			known ? "client_not_connected: '%.*s' has no live session"
			      : "client_not_connected: no client named '%.*s'",
			utf8_cut(name, 100), name);
	return -1;
}

static void insert_free(struct fleet_insert *in)
{
	if (in->r)
		model_rule_free(in->r);
	free(in);
}

/* The edge may be another by now than the one that was asked for when the push came. */
static void send_inserted(struct fleet *f, struct fleet_rule *r, struct fleet_push *p)
{
	struct session *session = r->client->connected ? r->client->session : NULL;
	struct fleet_error err;

	if (!session || !session_gate(session, r->rule, &err)) {
		r->capped_since = session && r->rule->limit.has ? session->own_epoch : 0;
		wait_begin(p, r, r->rule);
		return;
	}
	model_set_state_later(f, r, FLEET_FAILED, err.e.code);
	err.rule_id = r->rule->id;
	wait_fail(p, &err);
}

static void on_inserted(void *arg, int errnum)
{
	struct fleet_insert *in = arg;
	struct fleet_rule *r = in->r;
	struct fleet_error err;

	LIST_REMOVE(in, entry);
	in->f->n_inserts--;
	if (!errnum) {
		in->r = NULL;
		r->rule->id = r->counters.rule_id = in->id;
		model_rule_add(in->f, r); /* there is room */
		model_note(in->f, EVENT_RULE_CREATED, r->client, r, NULL);
		send_inserted(in->f, r, in->push);
	} else if (errnum == -EEXIST) {
		not_connected(&err, r->rule->client, false); /* deleted meanwhile */
		wait_fail(in->push, &err);
	} else {
		fleet_error_store(&err, errnum);
		wait_fail(in->push, &err);
	}
	insert_free(in);
}

/* @rule is taken when it returns 0; else -errno. */
static int insert_rule(struct fleet *f, struct fleet_client *c, struct rule *rule,
		       struct fleet_push *p)
{
	struct fleet_insert *in = calloc(1, sizeof(*in));
	char *spec = desired_spec(rule);
	struct store_tx *tx;
	int err = -ENOMEM;

	if (in)
		in->r = model_rule_new(c, rule);
	if (!in || !in->r || !spec || model_rule_room(f))
		goto refuse;
	in->f = f;
	in->push = p;
	strcpy(in->client_id, c->id);
	in->r->created_ms = in->r->changed_ms = clock_wall_ms();
	in->r->counted = true; /* the store makes its counters, all zero */
	tx = store_begin(f->store);
	store_rule_insert(tx,
			  &(struct store_rule){.client_id = c->id,
					       .owner = rule->owner,
					       .spec = spec,
					       .state = FLEET_PENDING,
					       .created_ms = in->r->created_ms,
					       .changed_ms = in->r->changed_ms},
			  &in->id);
	err = store_commit(tx, on_inserted, in);
	if (err)
		goto refuse;
	f->n_inserts++;
	LIST_INSERT_HEAD(&f->inserts, in, entry);
	free(spec);
	return 0;
refuse:
	free(spec);
	if (in && in->r)
		in->r->rule = NULL; /* the caller's still */
	if (in)
		insert_free(in);
	return err;
}

int fleet_push(struct fleet *f, struct rule *rule, fleet_done done, void *arg,
	       struct fleet_error *err)
{
	struct fleet_client *c = find_client(f, rule);
	struct fleet_push *p = NULL;
	int errnum;

	normalise(rule);
	if (!c || !fleet_is_connected(c)) {
		not_connected(err, rule->client, c);
		goto refuse;
	}
	if (session_gate(c->session, rule, err) || check_length(f, rule, err) ||
	    check_port(f, c, rule, NULL, err))
		goto refuse;
	p = wait_new(f, done, arg);
	errnum = p ? insert_rule(f, c, rule, p) : -ENOMEM;
	if (!errnum)
		return 0;
	fleet_error_store(err, errnum);
refuse:
	if (p)
		wait_free(p);
	rule_free(rule);
	return -1;
}

/* Other ends of a range, or one port that becomes one, are the same listener as long as a port stays. */
static bool same_listener(const struct fleet_rule *r, const struct rule *rule)
{
	bool range = rule_is_range(rule) || rule_is_range(r->rule);

	return (range ? rule_listens_near(rule, r->rule) : rule_listens_alike(rule, r->rule)) &&
	       rule->client && !strcmp(rule->client, r->client->name);
}

/* Whether an edge takes an update over, and not only says so. */
static int check_edge(const struct session *s, const struct fleet_rule *r, const struct rule *rule,
		      struct fleet_error *err)
{
	if (rule_equal_but_caps(rule, r->rule) || s->rule_update)
		return session_gate(s, rule, err);
	fleet_error_set(err, 400, "validation.rule_update_shape_mismatch",
			"this edge can change a rule's caps alone; remove the rule and push "
			"it again");
	return -1;
}

/* Whether an update may go on: same listener, and an edge that takes new targets if they differ. */
static int check_update(const struct fleet *f, struct fleet_rule *r, const struct rule *rule,
			struct fleet_error *err)
{
	const struct session *s = r->client->session;

	if (!same_listener(r, rule)) {
		fleet_error_set(
			err, 400, "validation.rule_update_shape_mismatch",
			"client, protocol, listen_port, listen_address and listen_interface cannot "
			"change; of a range the ends can, if a port stays");
		return -1;
	}
	if (!fleet_is_connected(r->client))
		return not_connected(err, r->client->name, true);
	if (check_edge(s, r, rule, err) || check_length(f, rule, err) ||
	    check_port(s->fleet, r->client, rule, r, err))
		return -1;
	/* Whoever waits for long, or has gone, does not keep others from changing the rule. */
	if (r->storing || (r->push && !wait_is_old(r->push))) {
		fleet_error_set(err, 409, "update_in_progress",
				"the edge has not answered the last change of this rule yet");
		return -1;
	}
	return 0;
}

/* An update that the edge cannot have, until it is forgotten. */
struct unfit {
	struct fleet_push *push;
	struct fleet_error err;
};

static void on_forgotten(void *arg, struct fleet_rule *r, int errnum)
{
	struct unfit *u = arg;

	if (r && errnum)
		fleet_error_store(&u->err, errnum);
	else if (r && !r->next && r->in_doubt)
		answer_settle_doubt(r);
	wait_fail(u->push, &u->err);
	free(u);
}

static void forget_unfit(struct fleet_rule *r, struct fleet_push *p, const struct fleet_error *err)
{
	struct unfit *u = malloc(sizeof(*u));
	struct fleet_error stays;
	int errnum = -ENOMEM;

	if (u) {
		*u = (struct unfit){.push = p, .err = *err};
		u->err.rule_id = r->rule->id;
		errnum = desired_drop(r->client->session->fleet, r, on_forgotten, u);
	}
	if (!errnum)
		return;
	free(u);
	fleet_error_store(&stays, errnum);
	wait_fail(p, &stays);
}

/* The edge may be another by now than the one that was asked for when the update came. */
static void send_updated(struct fleet_rule *r, struct fleet_push *p)
{
	struct fleet_error err;

	if (fleet_is_connected(r->client) && check_edge(r->client->session, r, r->next, &err))
		forget_unfit(r, p, &err);
	else
		wait_begin(p, r, r->next);
}

static void on_updated(void *arg, struct fleet_rule *r, int errnum)
{
	struct fleet_push *p = arg;
	struct fleet_error err;

	if (r && !errnum) {
		if (r->push)
			wait_cancel(r->push, 409, "conflict",
				    "a newer change of the rule took its place");
		send_updated(r, p);
		return;
	}
	if (!r || errnum == -ENOENT)
		fleet_error_set(&err, 409, "rule_removed",
				"rule_removed: the rule was removed meanwhile");
	else
		fleet_error_store(&err, errnum);
	wait_fail(p, &err);
}

int fleet_update(struct fleet *f, struct fleet_rule *r, struct rule *rule, fleet_done done,
		 void *arg, struct fleet_error *err)
{
	struct fleet_push *p = NULL;
	int errnum;

	normalise(rule);
	find_client(f, rule);
	rule->id = r->rule->id;
	if (check_update(f, r, rule, err))
		goto refuse;
	p = wait_new(f, done, arg);
	errnum = p ? desired_set(f, r, rule, wait_request_id(p), on_updated, p) : -ENOMEM;
	if (!errnum)
		return 0;
	fleet_error_store(err, errnum);
refuse:
	if (p)
		wait_free(p);
	rule_free(rule);
	return -1;
}

int fleet_fail_back(struct fleet_rule *r, struct fleet_error *err)
{
	struct session *s = r->client->session;
	int errnum;

	if (!fleet_is_connected(r->client))
		return not_connected(err, r->client->name, true);
	if (!s->failback) {
		fleet_error_set(err, 422, "rule_options_unsupported_by_client",
				"failback needs an edge that announces failback");
		return -1;
	}
	errnum = outbox_send_failback(&s->out, r->rule->id);
	if (errnum)
		fleet_error_store(err, errnum);
	return errnum ? -1 : 0;
}

/* A removal that is with the store. */
struct removal {
	struct fleet *f;
	uint64_t id;
	store_done done;
	void *arg;
};

static void on_removed(void *arg, int err)
{
	struct removal *rm = arg;
	struct fleet_rule *r = fleet_rule(rm->f, rm->id);

	if (!err && r) {
		if (fleet_is_connected(r->client))
			outbox_send_remove(&r->client->session->out, r->rule);
		model_note(rm->f, EVENT_RULE_REMOVED, r->client, r, NULL);
		answer_drop_rule(rm->f, r);
	}
	rm->done(rm->arg, err);
	free(rm);
}

int fleet_remove(struct fleet *f, struct fleet_rule *r, store_done done, void *arg)
{
	struct removal *rm = malloc(sizeof(*rm));
	struct store_tx *tx;
	int err;

	if (!rm)
		return -ENOMEM;
	*rm = (struct removal){.f = f, .id = r->rule->id, .done = done, .arg = arg};
	tx = store_begin(f->store);
	store_rule_delete(tx, rm->id);
	err = store_commit(tx, on_removed, rm);
	if (err)
		free(rm);
	return err;
}
