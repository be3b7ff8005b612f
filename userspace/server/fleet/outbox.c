// SPDX-License-Identifier: MIT
/* The two queues of messages to an edge. */
#include "server/fleet/outbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/ulid.h"
#include "server/fleet/model.h"
#include "server/fleet/owner.h"

struct outgoing {
	STAILQ_ENTRY(outgoing) next;
	enum {
		OUT_PUSH,
		OUT_REMOVE,
		OUT_STATS,
		OUT_REPLAY_DONE,
		OUT_CREDENTIAL,
		OUT_FAILBACK,
		OUT_FLOWS,
		OUT_OWNER
	} kind;
	char request_id[FLEET_REQUEST_ID_SIZE];
	uint64_t value;	      /* rule id, serial, or count */
	struct rule *removed; /* OUT_REMOVE: owned */
	char *owner;	      /* OUT_OWNER: owned */
	struct outbox_credential credential;
	bool per_port; /* OUT_STATS, as the rest */
	size_t n_ids;
	uint64_t ids[];
};

static void outgoing_free(struct outgoing *m)
{
	rule_free(m->removed);
	free(m->owner);
	explicit_bzero(&m->credential, sizeof(m->credential));
	free(m);
}

static struct outgoing *outgoing_new(int kind, uint64_t value, size_t n_ids)
{
	struct outgoing *m = calloc(1, sizeof(*m) + n_ids * sizeof(m->ids[0]));

	if (m) {
		m->kind = kind;
		m->value = value;
		m->n_ids = n_ids;
	}
	return m;
}

/* Sends one message; 0 also when there is nothing left to say. */
static int send_one(struct outbox *o, const struct outgoing *m)
{
	const struct fleet_owner *owner;
	struct fleet_rule *r;

	switch (m->kind) {
	case OUT_PUSH:
		r = fleet_rule(o->fleet, m->value);
		if (!r)
			return 0; /* removed while it waited */
		return o->ops->push(o->link, m->request_id,
				    r->next && !strcmp(m->request_id, r->next_id) ? r->next
										  : r->rule);
	case OUT_REMOVE:
		return o->ops->remove(o->link, m->request_id, m->removed);
	case OUT_STATS:
		return o->ops->stats_request(o->link, m->value, m->per_port, m->ids, m->n_ids);
	case OUT_CREDENTIAL:
		return o->ops->credential(o->link, m->value, &m->credential);
	case OUT_FLOWS:
		return o->ops->flow_list_request(o->link, m->value, m->ids[0]);
	case OUT_FAILBACK:
		return o->ops->failback(o->link, m->value);
	case OUT_OWNER:
		owner = owner_find(o->client, m->owner);
		return o->ops->owner_caps(o->link, o->client, m->owner,
					  owner && owner->capped ? &owner->limit : NULL);
	case OUT_REPLAY_DONE:
		return o->ops->replay_done(o->link, (uint32_t)m->value);
	}
	return 0;
}

int outbox_drain(struct outbox *o)
{
	for (;;) {
		struct outgoing_queue *q = STAILQ_EMPTY(&o->urgent) ? &o->bulk : &o->urgent;
		struct outgoing *m = STAILQ_FIRST(q);
		int err = m ? send_one(o, m) : 0;

		if (!m || err)
			return err == -EAGAIN ? 0 : err;
		STAILQ_REMOVE_HEAD(q, next);
		outgoing_free(m);
	}
}

static int send_urgent(struct outbox *o, struct outgoing *m)
{
	STAILQ_INSERT_TAIL(&o->urgent, m, next);
	return outbox_drain(o);
}

/* What the replay still has to say of a rule is said before anything newer: the edge keeps the last word. */
static void hasten_replay(struct outbox *o, uint64_t rule_id)
{
	struct outgoing *m;

	STAILQ_FOREACH (m, &o->bulk, next)
		if (m->kind == OUT_PUSH && m->value == rule_id)
			break;
	if (!m)
		return;
	STAILQ_REMOVE(&o->bulk, m, outgoing, next);
	STAILQ_INSERT_TAIL(&o->urgent, m, next);
}

int outbox_send_push(struct outbox *o, const char *request_id, uint64_t rule_id)
{
	struct outgoing *m = outgoing_new(OUT_PUSH, rule_id, 0);

	if (!m)
		return -ENOMEM;
	snprintf(m->request_id, sizeof(m->request_id), "%s", request_id);
	hasten_replay(o, rule_id);
	return send_urgent(o, m);
}

int outbox_send_remove(struct outbox *o, const struct rule *rule)
{
	struct outgoing *m = outgoing_new(OUT_REMOVE, rule->id, 0);

	if (!m)
		return -ENOMEM;
	m->removed = rule_dup(rule);
	if (!m->removed || ulid_new(clock_wall_ms(), m->request_id)) {
		outgoing_free(m);
		return -ENOMEM;
	}
	return send_urgent(o, m);
}

int outbox_send_stats_request(struct outbox *o, uint64_t serial, bool per_port,
			      const uint64_t *rule_ids, size_t n)
{
	struct outgoing *m = outgoing_new(OUT_STATS, serial, n);

	if (!m)
		return -ENOMEM;
	m->per_port = per_port;
	if (n)
		memcpy(m->ids, rule_ids, n * sizeof(*rule_ids));
	return send_urgent(o, m);
}

int outbox_send_credential(struct outbox *o, uint64_t serial, const struct outbox_credential *c)
{
	struct outgoing *m = outgoing_new(OUT_CREDENTIAL, serial, 0);

	if (!m)
		return -ENOMEM;
	m->credential = *c;
	return send_urgent(o, m);
}

int outbox_send_flow_list_request(struct outbox *o, uint64_t serial, uint64_t rule_id)
{
	struct outgoing *m = outgoing_new(OUT_FLOWS, serial, 1);

	if (!m)
		return -ENOMEM;
	m->ids[0] = rule_id;
	return send_urgent(o, m);
}

int outbox_send_failback(struct outbox *o, uint64_t rule_id)
{
	struct outgoing *m = outgoing_new(OUT_FAILBACK, rule_id, 0);

	return m ? send_urgent(o, m) : -ENOMEM;
}

static struct outgoing *owner_new(const char *owner)
{
	struct outgoing *m = outgoing_new(OUT_OWNER, 0, 0);

	if (!m)
		return NULL;
	m->owner = strdup(owner);
	if (m->owner)
		return m;
	outgoing_free(m);
	return NULL;
}

int outbox_send_owner(struct outbox *o, const char *owner)
{
	struct outgoing *m = owner_new(owner);

	return m ? send_urgent(o, m) : -ENOMEM;
}

int outbox_queue_owner(struct outbox *o, const char *owner)
{
	struct outgoing *m = owner_new(owner);

	if (!m)
		return -ENOMEM;
	STAILQ_INSERT_TAIL(&o->bulk, m, next);
	return 0;
}

int outbox_queue_replay(struct outbox *o, uint64_t rule_id, const char *request_id)
{
	struct outgoing *m = outgoing_new(OUT_PUSH, rule_id, 0);

	if (!m)
		return -ENOMEM;
	snprintf(m->request_id, sizeof(m->request_id), "%s", request_id);
	STAILQ_INSERT_TAIL(&o->bulk, m, next);
	return 0;
}

int outbox_queue_replay_done(struct outbox *o, uint32_t count)
{
	struct outgoing *m = outgoing_new(OUT_REPLAY_DONE, count, 0);

	if (!m)
		return -ENOMEM;
	STAILQ_INSERT_TAIL(&o->bulk, m, next);
	return 0;
}

void outbox_init(struct outbox *o, struct fleet *f, struct fleet_client *c,
		 const struct fleet_link_ops *ops, void *link)
{
	o->client = c;
	o->fleet = f;
	o->ops = ops;
	o->link = link;
	STAILQ_INIT(&o->urgent);
	STAILQ_INIT(&o->bulk);
}

static void queue_free(struct outgoing_queue *q)
{
	struct outgoing *m;

	while ((m = STAILQ_FIRST(q))) {
		STAILQ_REMOVE_HEAD(q, next);
		outgoing_free(m);
	}
}

void outbox_free(struct outbox *o)
{
	queue_free(&o->urgent);
	queue_free(&o->bulk);
}
