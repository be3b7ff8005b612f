// SPDX-License-Identifier: MIT
/* Sessions of edges: their begin and end, what is sent to them in which order, what they answer. */
#include "server/fleet_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/capability.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "server/fleet_internal.h"

#define STATS_IDS_MAX 64 /* beyond it, all rules are asked for */

static void outgoing_free(struct outgoing *o)
{
	rule_free(o->removed);
	free(o);
}

/* Asks for what is waited for, not for all that an edge has. */
static int send_stats_request(struct session *s, uint64_t serial)
{
	uint64_t ids[STATS_IDS_MAX];
	const struct refresh *w;
	size_t n = 0;

	TAILQ_FOREACH(w, &s->refreshes, entry)
	{
		size_t i = 0;

		if (w->serial > serial)
			continue;
		while (i < n && ids[i] != w->rule_id)
			i++;
		if (i < n)
			continue;
		if (n == STATS_IDS_MAX)
			return s->ops->stats_request(s->link, serial, NULL, 0);
		ids[n++] = w->rule_id;
	}
	/* Whoever asked has given up since. */
	return n ? s->ops->stats_request(s->link, serial, ids, n) : 0;
}

/* Sends one message; 0 also when there is nothing left to say. */
static int send_one(struct session *s, const struct outgoing *o)
{
	struct fleet_rule *r;

	switch (o->kind) {
	case OUT_PUSH:
		/* It may have been removed while it waited. */
		r = fleet_rule(s->fleet, o->value);
		return r ? s->ops->push(s->link, o->request_id, r->rule) : 0;
	case OUT_REMOVE:
		return s->ops->remove(s->link, o->request_id, o->removed);
	case OUT_STATS:
		return send_stats_request(s, o->value);
	case OUT_REPLAY_DONE:
		return s->ops->replay_done(s->link, (uint32_t)o->value);
	}
	return 0;
}

/* Sends what the link takes: operators' messages before the replay's. */
static int drain(struct session *s)
{
	for (;;) {
		bool urgent = !STAILQ_EMPTY(&s->urgent);
		struct outgoing *o = urgent ? STAILQ_FIRST(&s->urgent) : STAILQ_FIRST(&s->bulk);
		int err = o ? send_one(s, o) : 0;

		if (!o || err)
			return err == -EAGAIN ? 0 : err;
		if (urgent)
			STAILQ_REMOVE_HEAD(&s->urgent, next);
		else
			STAILQ_REMOVE_HEAD(&s->bulk, next);
		outgoing_free(o);
	}
}

static struct outgoing *outgoing_new(int kind, uint64_t value)
{
	struct outgoing *o = calloc(1, sizeof(*o));

	if (o) {
		o->kind = kind;
		o->value = value;
	}
	return o;
}

static int send_urgent(struct session *s, struct outgoing *o)
{
	STAILQ_INSERT_TAIL(&s->urgent, o, next);
	return drain(s);
}

int session_send_push(struct session *s, const char *request_id, uint64_t rule_id)
{
	struct outgoing *o = outgoing_new(OUT_PUSH, rule_id);

	if (!o)
		return -ENOMEM;
	snprintf(o->request_id, sizeof(o->request_id), "%s", request_id);
	return send_urgent(s, o);
}

int session_send_remove(struct session *s, const struct rule *rule)
{
	struct outgoing *o = outgoing_new(OUT_REMOVE, rule->id);

	if (!o)
		return -ENOMEM;
	o->removed = rule_dup(rule);
	if (!o->removed || ulid_new(clock_wall_ms(), o->request_id)) {
		outgoing_free(o);
		return -ENOMEM;
	}
	return send_urgent(s, o);
}

int session_send_stats_request(struct session *s)
{
	struct outgoing *o = outgoing_new(OUT_STATS, s->stats_sent + 1);

	if (!o)
		return -ENOMEM;
	s->stats_sent++;
	return send_urgent(s, o);
}

struct session *fleet_session_begin(struct fleet *f, struct fleet_client *c,
				    const struct fleet_link_ops *ops, void *link,
				    const char *remote_addr)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (c->session)
		fleet_session_drop(c->session, "superseded");
	s->fleet = f;
	s->client = c;
	s->ops = ops;
	s->link = link;
	s->connected_ms = clock_wall_ms();
	/* Never 0, and different for each session of a client. */
	s->own_epoch = s->connected_ms | 1ull << 63;
	snprintf(s->remote_addr, sizeof(s->remote_addr), "%s", remote_addr);
	STAILQ_INIT(&s->urgent);
	STAILQ_INIT(&s->bulk);
	TAILQ_INIT(&s->refreshes);
	c->session = s;
	return s;
}

static void read_capability(struct session *s, const char *text)
{
	static const size_t version = sizeof(CAPABILITY_VERSION) - 1;

	if (!strcmp(text, CAPABILITY_RULE_UPDATE))
		s->rule_update = true;
	else if (!strcmp(text, CAPABILITY_RULE_OPTIONS))
		s->rule_options = true;
	else if (!strcmp(text, CAPABILITY_STATS_REQUEST))
		s->stats_requests = true;
	else if (!strcmp(text, CAPABILITY_REPLAY_DONE))
		s->replay_done = true;
	else if (!strncmp(text, CAPABILITY_VERSION, version))
		snprintf(s->version, sizeof(s->version), "%s", text + version);
	else if (!strncmp(text, CAPABILITY_ACCOUNTING, sizeof(CAPABILITY_ACCOUNTING) - 1))
		fleet_session_accounting(s, text + sizeof(CAPABILITY_ACCOUNTING) - 1);
}

/* Queues one rule of the replay, or settles that this edge cannot have it. */
static int replay_rule(struct session *s, struct fleet_rule *r)
{
	const struct gate_peer peer = {.version = s->client_version,
				       .udp = s->udp,
				       .rule_options = s->rule_options};
	struct fleet_error refused;
	struct outgoing *o;

	if (gate_rule(&peer, r->rule, &refused)) {
		fleet_set_state_later(s->fleet, r, FLEET_FAILED, refused.e.code);
		return 0;
	}
	if (r->state == FLEET_FAILED)
		fleet_set_state_later(s->fleet, r, FLEET_PENDING, NULL);
	o = outgoing_new(OUT_PUSH, r->rule->id);
	if (!o)
		return 0;
	snprintf(o->request_id, sizeof(o->request_id), "replay-");
	ulid_new(s->connected_ms, o->request_id + strlen("replay-"));
	STAILQ_INSERT_TAIL(&s->bulk, o, next);
	return 1;
}

void fleet_session_hello(struct session *s, const struct fleet_hello *h)
{
	struct fleet_rule *r;
	struct outgoing *o;
	int sent = 0;

	if (s->ready)
		return;
	s->udp = h->udp;
	snprintf(s->client_version, sizeof(s->client_version), "%s",
		 h->client_version ? h->client_version : "");
	for (size_t i = 0; i < h->n_capabilities; i++)
		read_capability(s, h->capabilities[i]);
	s->ready = true;
	s->fleet->n_connected++;
	s->client->last_seen_ms = s->connected_ms;
	TAILQ_FOREACH(r, &s->client->rules, of_client)
	sent += replay_rule(s, r);
	o = s->replay_done ? outgoing_new(OUT_REPLAY_DONE, (uint64_t)sent) : NULL;
	if (o)
		STAILQ_INSERT_TAIL(&s->bulk, o, next);
	log_event(LOG_INFO, "client.connected", LOGF_STR("client_id", s->client->id),
		  LOGF_STR("client", s->client->name), LOGF_STR("remote_addr", s->remote_addr),
		  LOGF_STR("client_version", s->client_version), LOGF_INT("rules", sent));
	drain(s);
}

/* The push that @request_id belongs to, if an operator waits for it. */
static struct fleet_push *awaited(struct fleet_rule *r, const char *request_id)
{
	return r->push && request_id && !strcmp(r->push->request_id, request_id) ? r->push : NULL;
}

/*
 * Existing edges answer a rule they refuse with an empty request_id. The one push of that rule is
 * then what they mean.
 */
static struct fleet_push *meant(struct fleet_rule *r, const char *request_id,
				enum fleet_outcome outcome)
{
	if (outcome == FLEET_REFUSED && r->push && !r->push->previous && !*request_id)
		return r->push;
	return awaited(r, request_id);
}

static void log_status(const struct fleet_rule *r, enum fleet_outcome outcome, const char *reason)
{
	/* A replay confirms thousands of rules that were active all along: that is no news. */
	if (outcome == FLEET_ACTIVATED)
		log_event(r->state == FLEET_ACTIVE ? LOG_DEBUG : LOG_INFO, "rule.activated",
			  LOGF_UINT("rule_id", r->rule->id), LOGF_STR("client", r->client->name));
	else
		log_event(LOG_WARN, "rule.activation_failed", LOGF_UINT("rule_id", r->rule->id),
			  LOGF_STR("client", r->client->name), LOGF_STR("reason", reason));
}

void fleet_session_status(struct session *s, const char *request_id, uint64_t rule_id,
			  enum fleet_outcome outcome, const char *reason)
{
	struct fleet_rule *r = fleet_rule(s->fleet, rule_id);
	struct fleet_push *p;

	s->client->last_seen_ms = clock_wall_ms();
	if (!r || r->client != s->client || outcome == FLEET_REMOVED)
		return;
	if (!reason || !*reason)
		reason = "unspecified";
	p = meant(r, request_id ? request_id : "", outcome);
	log_status(r, outcome, reason);
	if (p)
		fleet_push_answered(p, outcome == FLEET_ACTIVATED ? NULL : reason);
	else if (outcome == FLEET_ACTIVATED)
		fleet_set_state_later(s->fleet, r, FLEET_ACTIVE, NULL);
	else
		fleet_set_state_later(s->fleet, r, FLEET_FAILED, reason);
}

void fleet_session_accounting(struct session *s, const char *mode)
{
	/* Only words we know become the value of a metric's label. */
	snprintf(s->accounting, sizeof(s->accounting), "%s",
		 !strcmp(mode, "bpf") || !strcmp(mode, "user") ? mode : "");
}

void fleet_session_writable(struct session *s)
{
	drain(s);
}

static void queue_free(struct session *s)
{
	struct outgoing *o;

	while ((o = STAILQ_FIRST(&s->urgent))) {
		STAILQ_REMOVE_HEAD(&s->urgent, next);
		outgoing_free(o);
	}
	while ((o = STAILQ_FIRST(&s->bulk))) {
		STAILQ_REMOVE_HEAD(&s->bulk, next);
		outgoing_free(o);
	}
}

void fleet_session_end(struct session *s)
{
	struct fleet_client *c = s->client;
	struct fleet_rule *r;

	c->session = NULL;
	c->last_seen_ms = clock_wall_ms();
	if (s->ready) {
		s->fleet->n_connected--;
		log_event(LOG_INFO, "client.disconnected", LOGF_STR("client_id", c->id),
			  LOGF_STR("client", c->name), LOGF_STR("remote_addr", s->remote_addr));
	}
	TAILQ_FOREACH(r, &c->rules, of_client)
	if (r->push) {
		fleet_set_state(s->fleet, r, FLEET_PENDING, NULL);
		fleet_push_cancel(r->push, 504, "ack_timeout",
				  "ack_timeout: the edge's session ended before it "
				  "answered; the rule stays pending and is sent again when "
				  "it reconnects");
	}
	fleet_refreshes_fail(s);
	queue_free(s);
	free(s);
}

void fleet_session_drop(struct session *s, const char *why)
{
	const struct fleet_link_ops *ops = s->ops;
	void *link = s->link;

	fleet_session_end(s);
	ops->close(link, why);
}

struct fleet_client *fleet_session_client(const struct session *s)
{
	return s->client;
}
