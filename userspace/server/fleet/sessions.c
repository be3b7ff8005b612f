// SPDX-License-Identifier: MIT
/* Sessions of edges: their begin and end, the replay, what they say. */
#include "server/fleet/sessions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/ulid.h"
#include "lib/base/utf8.h"
#include "lib/wire/capability.h"
#include "server/fleet/compatibility.h"
#include "server/fleet/flush.h"
#include "server/fleet/history.h"
#include "server/fleet/owner.h"
#include "server/fleet/sni.h"

#define FOREIGN_ID_REACH 1000000 /* above the highest that we know of */

/* How often a stream may take the place of an open one; an edge behind a bad link does it now and then. */
#define CONTEST_FREE	   2
#define CONTEST_QUIET_SECS 120 /* without such a stream all is forgotten */
#define CONTEST_LOG_SECS   60

struct session *session_begin(struct fleet *f, struct fleet_client *c,
			      const struct fleet_link_ops *ops, void *link, const char *remote_addr)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (c->session)
		session_drop(c->session, "superseded");
	s->fleet = f;
	s->client = c;
	s->connected_ms = clock_wall_ms();
	/* Never 0, and different for each session of a client. */
	s->own_epoch = s->connected_ms | 1ull << 63;
	snprintf(s->remote_addr, sizeof(s->remote_addr), "%s", remote_addr);
	outbox_init(&s->out, f, c, ops, link);
	TAILQ_INIT(&s->refreshes);
	TAILQ_INIT(&s->flows_waits);
	c->session = s;
	return s;
}

int fleet_session_admit(struct fleet_client *c, const char *remote_addr)
{
	uint64_t now = clock_mono_ns();

	if (!c->connected)
		return 0;
	if (now - c->contest.last_ns > CONTEST_QUIET_SECS * NS_PER_SEC)
		c->contest.n = 0;
	c->contest.last_ns = now;
	if (++c->contest.n <= CONTEST_FREE)
		return 0;
	c->contest.seen_ms = clock_wall_ms();
	utf8_format(c->contest.remote_addr, sizeof(c->contest.remote_addr), "%s", remote_addr);
	if (!c->contest.told_ns || now - c->contest.told_ns > CONTEST_LOG_SECS * NS_PER_SEC) {
		c->contest.told_ns = now;
		log_event(LOG_WARN, "client.shared_credential", LOGF_STR("client_id", c->id),
			  LOGF_STR("client", c->name),
			  LOGF_STR("remote_addr", c->session->remote_addr),
			  LOGF_STR("turned_away", remote_addr),
			  LOGF_STR("advice", "two hosts use this edge's bundle; enrol one of them "
					     "under a name of its own"));
	}
	return -EBUSY;
}

static void read_capability(struct session *s, const char *text)
{
	static const size_t version = sizeof(CAPABILITY_VERSION) - 1;

	if (!strcmp(text, CAPABILITY_RULE_UPDATE))
		s->rule_update = true;
	else if (!strcmp(text, CAPABILITY_RULE_OPTIONS))
		s->rule_options = true;
	else if (!strcmp(text, CAPABILITY_SOURCE))
		s->source_options = true;
	else if (!strcmp(text, CAPABILITY_FLOW_LIST))
		s->flow_list = s->out.ops->flow_list_request != NULL;
	else if (!strcmp(text, CAPABILITY_SNI))
		s->sni = true;
	else if (!strcmp(text, CAPABILITY_BALANCE))
		s->balance = true;
	else if (!strcmp(text, CAPABILITY_FAILBACK))
		s->failback = s->out.ops->failback != NULL;
	else if (!strcmp(text, CAPABILITY_PROXY))
		s->proxy = true;
	else if (!strcmp(text, CAPABILITY_RATE_LIMIT))
		s->rate_limit = true;
	else if (!strcmp(text, CAPABILITY_RANGE_TARGETS))
		s->range_targets = true;
	else if (!strcmp(text, CAPABILITY_KERNEL_RELAY))
		s->kernel_relay = true;
	else if (!strcmp(text, CAPABILITY_STATS_REQUEST))
		s->stats_requests = true;
	else if (!strcmp(text, CAPABILITY_REPLAY_DONE))
		s->replay_done = true;
	else if (!strcmp(text, CAPABILITY_CREDENTIAL))
		s->credential_update = s->out.ops->credential != NULL;
	else if (!strncmp(text, CAPABILITY_VERSION, version))
		utf8_format(s->version, sizeof(s->version), "%s", text + version);
	else if (!strncmp(text, CAPABILITY_ACCOUNTING, sizeof(CAPABILITY_ACCOUNTING) - 1))
		fleet_session_accounting(s, text + sizeof(CAPABILITY_ACCOUNTING) - 1);
}

static struct gate_peer peer_of(const struct session *s)
{
	return (struct gate_peer){.version = s->client_version,
				  .udp = s->udp,
				  .proxy = s->proxy,
				  .sni = s->sni,
				  .rate_limit = s->rate_limit,
				  .rule_options = s->rule_options,
				  .source_options = s->source_options,
				  .balance = s->balance,
				  .range_targets = s->range_targets,
				  .kernel_relay = s->kernel_relay};
}

int session_gate(const struct session *s, const struct rule *rule, struct fleet_error *err)
{
	struct gate_peer peer = peer_of(s);

	return gate_rule(&peer, rule, err);
}

int session_gate_caps(const struct session *s, struct fleet_error *err)
{
	struct gate_peer peer = peer_of(s);

	return gate_caps(&peer, err);
}

bool session_enforces_caps(const struct session *s, const struct fleet_rule *r)
{
	return s->rate_limit || !r->rule->limit.has || r->capped_since == s->own_epoch;
}

/* Queues one rule of the replay, or settles that this edge cannot have it. */
static uint32_t replay_rule(struct session *s, struct fleet_rule *r)
{
	struct fleet_error refused;
	char request_id[FLEET_REQUEST_ID_SIZE] = "replay-";

	if (session_gate(s, r->rule, &refused)) {
		model_set_state_later(s->fleet, r, FLEET_FAILED, refused.e.code);
		return 0;
	}
	if (r->state == FLEET_FAILED)
		model_set_state_later(s->fleet, r, FLEET_PENDING, NULL);
	r->capped_since = r->rule->limit.has ? s->own_epoch : 0;
	ulid_new(s->connected_ms, request_id + strlen(request_id));
	/* An edge that cannot change a rule would say yes to an update and go on with the old one, and one that
	 * does not know what is new in it would do without. The update waits for another. */
	if (r->next && s->rule_update && !session_gate(s, r->next, &refused))
		strcpy(r->next_id, request_id);
	return outbox_queue_replay(&s->out, r->rule->id, request_id) ? 0 : 1;
}

/* Whoever asks while the edge is away is answered by this. */
static void note_caps(struct session *s, bool can)
{
	struct fleet_client *c = s->client;
	struct store_tx *tx;
	char key[64];

	if (c->caps_owners == can)
		return;
	snprintf(key, sizeof(key), STORE_CAPS_OWNERS "%s", c->id);
	c->caps_owners = can;
	tx = store_begin(s->fleet->store);
	store_setting_put(tx, key, can ? "1" : NULL);
	store_commit(tx, NULL, NULL);
}

static void replay_owners(struct session *s)
{
	struct fleet_error cannot;
	struct fleet_owner *o, *next;
	bool can = session_gate_caps(s, &cannot) == 0;

	note_caps(s, can);
	for (o = TAILQ_FIRST(&s->client->owners); o; o = next) {
		next = TAILQ_NEXT(o, of_client);
		/* Figures of the session before, of an owner that no longer has anything else. */
		if (!o->capped)
			owner_drop(s->client, o);
		else if (can)
			outbox_queue_owner(&s->out, o->id);
	}
}

/* Patterns first: an existing edge takes a fallback for its port, but no pattern beside a plain rule. */
static uint32_t replay(struct session *s)
{
	struct fleet_rule *r;
	uint32_t sent = 0;

	TAILQ_FOREACH (r, &s->client->rules, of_client)
		if (r->rule->sni_pattern)
			sent += replay_rule(s, r);
	TAILQ_FOREACH (r, &s->client->rules, of_client)
		if (!r->rule->sni_pattern)
			sent += replay_rule(s, r);
	return sent;
}

void fleet_session_hello(struct session *s, const struct fleet_hello *h)
{
	uint32_t sent;

	if (s->client->connected)
		return;
	s->udp = h->udp;
	utf8_format(s->client_version, sizeof(s->client_version), "%s",
		    h->client_version ? h->client_version : "");
	for (size_t i = 0; i < h->n_capabilities; i++)
		read_capability(s, h->capabilities[i]);
	s->client->connected = true;
	s->fleet->n_connected++;
	s->client->last_seen_ms = s->connected_ms;
	sent = replay(s);
	replay_owners(s);
	if (s->replay_done)
		outbox_queue_replay_done(&s->out, sent);
	log_event(LOG_INFO, "client.connected", LOGF_STR("client_id", s->client->id),
		  LOGF_STR("client", s->client->name), LOGF_STR("remote_addr", s->remote_addr),
		  LOGF_STR("client_version", s->client_version), LOGF_UINT("rules", sent));
	model_note(s->fleet, EVENT_CLIENT_UP, s->client, NULL, s->remote_addr);
	s->events->greeted(s);
	outbox_drain(&s->out);
}

/* An id that the store is to leave out. */
struct foreign_id {
	struct fleet *f;
	uint64_t id;
	char client[];
};

static void on_raised(void *arg, int err)
{
	struct foreign_id *foreign = arg;

	if (!err)
		log_event(LOG_WARN, "store.ids_raised", LOGF_STR("client", foreign->client),
			  LOGF_UINT("rule_id", foreign->id));
	else if (foreign->f->id_raised == foreign->id)
		foreign->f->id_raised = 0; /* the next report tells it again */
	free(foreign);
}

/*
 * An id that this server has not given, as after a restore: no rule gets it any more. Within reason,
 * since the edge only says so.
 */
static void note_foreign_id(struct session *s, uint64_t id)
{
	uint64_t highest = store_rule_highest(s->fleet->store);
	const char *name = s->client->name;
	struct foreign_id *foreign;
	struct store_tx *tx;

	if (id <= highest || id - highest > FOREIGN_ID_REACH || id <= s->fleet->id_raised)
		return;
	foreign = malloc(sizeof(*foreign) + strlen(name) + 1);
	if (!foreign)
		return;
	foreign->f = s->fleet;
	foreign->id = s->fleet->id_raised = id;
	strcpy(foreign->client, name);
	tx = store_begin(s->fleet->store);
	store_rule_raise(tx, id);
	if (store_commit(tx, on_raised, foreign))
		on_raised(foreign, -ENOMEM);
}

void fleet_session_status(struct session *s, const char *request_id, uint64_t rule_id,
			  enum fleet_outcome outcome, const char *reason)
{
	struct fleet_rule *r = fleet_rule(s->fleet, rule_id);

	s->client->last_seen_ms = clock_wall_ms();
	if (!r)
		note_foreign_id(s, rule_id);
	if (!r || r->client != s->client || outcome == FLEET_REMOVED)
		return;
	s->events->status(s, r, request_id ? request_id : "", outcome,
			  reason && *reason ? reason : "unspecified");
}

void fleet_session_report(struct session *s, uint64_t serial, uint64_t epoch,
			  const struct rule_figures *const *rules, size_t n)
{
	s->client->last_seen_ms = clock_wall_ms();
	for (size_t i = 0; i < n; i++)
		note_foreign_id(s, rules[i]->rule_id);
	s->events->report(s, &(struct fleet_report){.serial = serial,
						    .epoch = epoch ? epoch : s->own_epoch,
						    .rules = rules,
						    .n = n});
}

void fleet_session_sni(struct session *s, const struct sni_figures *ports, size_t n)
{
	sni_take(s->client, ports, n);
}

static bool owns_a_rule(const struct fleet_client *c, const char *owner)
{
	const struct fleet_rule *r;

	TAILQ_FOREACH (r, &c->rules, of_client)
		if (!strcmp(r->rule->owner, owner))
			return true;
	return false;
}

void fleet_session_owner_report(struct session *s, const char *owner,
				const struct caps_figures *figures)
{
	struct fleet_owner *o = owner_find(s->client, owner);

	/* An edge does not make owners up. */
	if (!o && owns_a_rule(s->client, owner))
		o = owner_get(s->client, owner);
	if (!o)
		return;
	o->reported = true;
	o->figures = *figures;
}

void fleet_session_flows(struct session *s, uint64_t serial, const struct flow_row *rows, size_t n,
			 bool more)
{
	s->events->flows(s, serial, rows, n, more);
}

void fleet_session_credential(struct session *s, uint64_t serial, const char *error)
{
	s->client->last_seen_ms = clock_wall_ms();
	s->events->credential(s, serial, error);
}

void fleet_session_accounting(struct session *s, const char *mode)
{
	/* Only words we know become the value of a metric's label. */
	snprintf(s->accounting, sizeof(s->accounting), "%s",
		 !strcmp(mode, "bpf") || !strcmp(mode, "user") ? mode : "");
}

void fleet_session_stalls(struct session *s, uint64_t n)
{
	struct fleet_client *c = s->client;

	/* The edge's own count begins anew with its program. */
	c->stalls.total += n >= c->stalls.last ? n - c->stalls.last : n;
	c->stalls.last = n;
	c->stalls.told = true;
}

void fleet_session_writable(struct session *s)
{
	outbox_drain(&s->out);
}

void fleet_session_end(struct session *s)
{
	struct fleet_client *c = s->client;

	c->session = NULL;
	c->last_seen_ms = clock_wall_ms();
	if (c->connected) {
		c->connected = false;
		s->fleet->n_connected--;
		log_event(LOG_INFO, "client.disconnected", LOGF_STR("client_id", c->id),
			  LOGF_STR("client", c->name), LOGF_STR("remote_addr", s->remote_addr));
		model_note(s->fleet, EVENT_CLIENT_DOWN, c, NULL, s->remote_addr);
	}
	s->events->ended(s);
	outbox_free(&s->out);
	free(s);
}

void session_drop(struct session *s, const char *why)
{
	const struct fleet_link_ops *ops = s->out.ops;
	void *link = s->out.link;

	fleet_session_end(s);
	ops->close(link, why);
}

struct fleet_client *fleet_session_client(const struct session *s)
{
	return s->client;
}

bool fleet_session_info(const struct fleet_client *c, struct fleet_session_info *out)
{
	const struct session *s = c->session;

	if (!c->connected)
		return false;
	*out = (struct fleet_session_info){
		.remote_addr = s->remote_addr,
		.version = s->version[0] ? s->version : s->client_version,
		.client_version = s->client_version,
		.accounting = s->accounting,
		.connected_ms = s->connected_ms,
	};
	return true;
}
