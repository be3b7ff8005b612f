// SPDX-License-Identifier: MIT
/* What is said on one control stream: Hello, rules and their answers, reports. No network in here. */
#include "edge/control/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "lib/wire/capability.h"
#include "lib/base/log.h"
#include "lib/wire/text.h"
#include "lib/rule/rule.h"
#include "lib/rule/proto.h"

#define PROTOCOL_VERSION "1.0.0"
/* What the version gates of servers compare; the real version is among the capabilities. */
#define ANNOUNCED_VERSION "0.11.0"

/* A message that the stream had no room for. */
struct waiting {
	STAILQ_ENTRY(waiting) next;
	size_t len;
	uint8_t data[];
};

/* A removal that is not on disk yet. */
struct unsaved {
	STAILQ_ENTRY(unsaved) next;
	uint64_t rule_id, saved_by;
	char request_id[];
};

struct session {
	const struct session_ops *ops;
	void *arg;
	STAILQ_HEAD(, waiting) waiting;
	STAILQ_HEAD(, unsaved) unsaved; /* by ascending saved_by */
	bool welcome;
	uint64_t named; /* pushes and removals seen */
};

struct session *session_new(const struct session_ops *ops, void *arg)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->ops = ops;
	s->arg = arg;
	STAILQ_INIT(&s->waiting);
	STAILQ_INIT(&s->unsaved);
	return s;
}

void session_free(struct session *s)
{
	struct waiting *w;
	struct unsaved *u;

	if (!s)
		return;
	while ((u = STAILQ_FIRST(&s->unsaved))) {
		STAILQ_REMOVE_HEAD(&s->unsaved, next);
		free(u);
	}
	while ((w = STAILQ_FIRST(&s->waiting))) {
		STAILQ_REMOVE_HEAD(&s->waiting, next);
		free(w);
	}
	free(s);
}

bool session_is_welcome(const struct session *s)
{
	return s->welcome;
}

/* ---- sending ---- */

static struct waiting *pack(const Portunus__V1__ClientMessage *m)
{
	size_t len = portunus__v1__client_message__get_packed_size(m);
	struct waiting *w = malloc(sizeof(*w) + len);

	if (!w)
		return NULL;
	w->len = len;
	portunus__v1__client_message__pack(m, w->data);
	return w;
}

/* Sends, or keeps it for later; while something is kept the server's messages wait. */
static int post(struct session *s, const Portunus__V1__ClientMessage *m)
{
	struct waiting *w = pack(m);
	int err;

	if (!w)
		return -ENOMEM;
	err = STAILQ_EMPTY(&s->waiting) ? s->ops->send(s->arg, w->data, w->len) : -EAGAIN;
	if (err != -EAGAIN) {
		free(w);
		return err;
	}
	if (STAILQ_EMPTY(&s->waiting))
		s->ops->pause(s->arg, true);
	STAILQ_INSERT_TAIL(&s->waiting, w, next);
	return 0;
}

int session_drained(struct session *s)
{
	struct waiting *w;

	if (STAILQ_EMPTY(&s->waiting))
		return 0;
	while ((w = STAILQ_FIRST(&s->waiting))) {
		int err = s->ops->send(s->arg, w->data, w->len);

		if (err)
			return err;
		STAILQ_REMOVE_HEAD(&s->waiting, next);
		free(w);
	}
	s->ops->pause(s->arg, false);
	return 0;
}

int session_hello(struct session *s, bool kernel_accounting)
{
	static char *capabilities[] = {
		CAPABILITY_VERSION PORTUNUS_VERSION,
		CAPABILITY_RULE_UPDATE,
		CAPABILITY_RULE_OPTIONS,
		CAPABILITY_SOURCE,
		CAPABILITY_FLOW_LIST,
		CAPABILITY_PROXY,
		CAPABILITY_RATE_LIMIT,
		CAPABILITY_SNI,
		CAPABILITY_RANGE_TARGETS,
		CAPABILITY_KERNEL_RELAY,
		CAPABILITY_STATS_REQUEST,
		CAPABILITY_REPLAY_DONE,
		CAPABILITY_CREDENTIAL,
		CAPABILITY_BALANCE,
		CAPABILITY_FAILBACK,
		NULL /* the mode of accounting */,
	};
	const size_t n = sizeof(capabilities) / sizeof(capabilities[0]);
	char *with_mode[sizeof(capabilities) / sizeof(capabilities[0])];
	Portunus__V1__Protocol protocols[] = {PORTUNUS__V1__PROTOCOL__TCP,
					      PORTUNUS__V1__PROTOCOL__UDP};
	Portunus__V1__Hello hello = PORTUNUS__V1__HELLO__INIT;
	Portunus__V1__ClientMessage m = PORTUNUS__V1__CLIENT_MESSAGE__INIT;

	memcpy(with_mode, capabilities, sizeof(with_mode));
	with_mode[n - 1] = kernel_accounting ? CAPABILITY_ACCOUNTING "bpf"
					     : CAPABILITY_ACCOUNTING "user";
	hello.protocol_version = PROTOCOL_VERSION;
	hello.client_version = ANNOUNCED_VERSION;
	hello.n_supported_protocols = sizeof(protocols) / sizeof(protocols[0]);
	hello.supported_protocols = protocols;
	hello.n_capabilities = n;
	hello.capabilities = with_mode;
	m.payload_case = PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_HELLO;
	m.hello = &hello;
	return post(s, &m);
}

static int post_status(struct session *s, const char *request_id, uint64_t rule_id,
		       Portunus__V1__ActivationOutcome outcome, const char *reason)
{
	Portunus__V1__RuleStatus status = PORTUNUS__V1__RULE_STATUS__INIT;
	Portunus__V1__ClientMessage m = PORTUNUS__V1__CLIENT_MESSAGE__INIT;

	status.request_id = (char *)request_id;
	status.rule_id = rule_id;
	status.outcome = outcome;
	status.reason = (char *)reason;
	m.payload_case = PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_RULE_STATUS;
	m.rule_status = &status;
	return post(s, &m);
}

int session_rule_active(struct session *s, uint64_t rule_id)
{
	return post_status(s, "", rule_id, PORTUNUS__V1__ACTIVATION_OUTCOME__ACTIVATED, "");
}

int session_credential_stored(struct session *s, uint64_t serial, const char *error)
{
	Portunus__V1__CredentialAck ack = PORTUNUS__V1__CREDENTIAL_ACK__INIT;
	Portunus__V1__ClientMessage m = PORTUNUS__V1__CLIENT_MESSAGE__INIT;

	ack.serial = serial;
	ack.error = (char *)error;
	m.payload_case = PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_CREDENTIAL_ACK;
	m.credential_ack = &ack;
	return post(s, &m);
}

int session_flows(struct session *s, Portunus__V1__FlowList *list)
{
	Portunus__V1__ClientMessage m = PORTUNUS__V1__CLIENT_MESSAGE__INIT;

	m.payload_case = PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_FLOW_LIST;
	m.flow_list = list;
	return post(s, &m);
}

int session_report(struct session *s, Portunus__V1__StatsReport *report)
{
	Portunus__V1__ClientMessage m = PORTUNUS__V1__CLIENT_MESSAGE__INIT;
	struct waiting *w;
	int err;

	if (!STAILQ_EMPTY(&s->waiting))
		return -EAGAIN;
	m.payload_case = PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_STATS_REPORT;
	m.stats_report = report;
	w = pack(&m);
	if (!w)
		return -ENOMEM;
	err = s->ops->send(s->arg, w->data, w->len);
	free(w);
	return err;
}

/* ---- receiving ---- */

static int take_push(struct session *s, const char *request_id, const Portunus__V1__Rule *m)
{
	struct rule_error refused = {0};
	struct rule *rule = rule_from_proto(m, &refused);
	const char *reason;
	int err;

	if (!rule) {
		log_event(LOG_WARN, "control.rule_refused", LOGF_UINT("rule", m->rule_id),
			  LOGF_STR("reason", refused.code), LOGF_STR("message", refused.message));
		s->ops->refused(s->arg, m->rule_id);
		return post_status(s, request_id, m->rule_id,
				   PORTUNUS__V1__ACTIVATION_OUTCOME__FAILED, refused.code);
	}
	reason = s->ops->push(s->arg, rule);
	err = post_status(s, request_id, rule->id,
			  reason ? PORTUNUS__V1__ACTIVATION_OUTCOME__FAILED
				 : PORTUNUS__V1__ACTIVATION_OUTCOME__ACTIVATED,
			  reason ? reason : "");
	rule_free(rule);
	return err;
}

/* Answered also when there is nothing to remove: what was asked for holds. */
static int take_remove(struct session *s, const char *request_id, uint64_t rule_id)
{
	size_t size = strlen(request_id) + 1;
	uint64_t saved_by = 0;
	struct unsaved *u;

	if (!s->ops->remove(s->arg, rule_id, &saved_by))
		log_event(LOG_WARN, "control.unknown_rule", LOGF_UINT("rule", rule_id),
			  LOGF_STR("message", "asked to remove a rule that is not here"));
	u = saved_by ? malloc(sizeof(*u) + size) : NULL;
	if (!u)
		return post_status(s, request_id, rule_id,
				   PORTUNUS__V1__ACTIVATION_OUTCOME__REMOVED, "");
	u->rule_id = rule_id;
	u->saved_by = saved_by;
	memcpy(u->request_id, request_id, size);
	STAILQ_INSERT_TAIL(&s->unsaved, u, next);
	return 0;
}

int session_saved(struct session *s, uint64_t upto)
{
	struct unsaved *u;
	int err = 0;

	while (!err && (u = STAILQ_FIRST(&s->unsaved)) && u->saved_by <= upto) {
		STAILQ_REMOVE_HEAD(&s->unsaved, next);
		err = post_status(s, u->request_id, u->rule_id,
				  PORTUNUS__V1__ACTIVATION_OUTCOME__REMOVED, "");
		free(u);
	}
	return err;
}

static int take_update(struct session *s, const Portunus__V1__RuleUpdate *u)
{
	if (u->rule && u->action == PORTUNUS__V1__RULE_ACTION__PUSH) {
		s->named++;
		return take_push(s, u->request_id, u->rule);
	}
	if (u->rule && u->action == PORTUNUS__V1__RULE_ACTION__REMOVE) {
		s->named++;
		return take_remove(s, u->request_id, u->rule->rule_id);
	}
	log_event(LOG_WARN, "control.update_ignored", LOGF_STR("request_id", u->request_id),
		  LOGF_INT("action", u->action), LOGF_FLAG("has_rule", u->rule != NULL));
	return 0;
}

static void take_owner_caps(struct session *s, const Portunus__V1__OwnerRateLimitUpdate *u)
{
	struct rate_limit limit = {.has = 0};
	struct rule_error refused = {0};

	if (!*u->owner_id)
		return;
	if (u->action == PORTUNUS__V1__OWNER_RATE_LIMIT_ACTION__OWNER_RATE_LIMIT_ACTION_REMOVE) {
		s->ops->owner_caps(s->arg, u->owner_id, NULL);
		return;
	}
	if (u->action != PORTUNUS__V1__OWNER_RATE_LIMIT_ACTION__OWNER_RATE_LIMIT_ACTION_SET)
		return;
	/* Without an envelope it is an empty one. */
	if (u->rate_limit && rate_limit_from_proto(u->rate_limit, &limit, &refused)) {
		log_event(LOG_WARN, "control.caps_refused", LOGF_STR("owner", u->owner_id),
			  LOGF_STR("reason", refused.code), LOGF_STR("message", refused.message));
		return;
	}
	s->ops->owner_caps(s->arg, u->owner_id, &limit);
}

static int dispatch(struct session *s, const Portunus__V1__ServerMessage *m)
{
	switch (m->payload_case) {
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_WELCOME:
		if (!s->welcome) {
			s->welcome = true;
			s->ops->welcome(s->arg, m->welcome);
		}
		return 0;
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_RULE_UPDATE:
		return take_update(s, m->rule_update);
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_OWNER_RATE_LIMIT_UPDATE:
		take_owner_caps(s, m->owner_rate_limit_update);
		return 0;
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_STATS_REQUEST:
		s->ops->stats_wanted(
			s->arg, &(struct stats_request){.id = m->stats_request->request_id,
							.rule_ids = m->stats_request->rule_ids,
							.n = m->stats_request->n_rule_ids,
							.per_port = m->stats_request->per_port});
		return 0;
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_REPLAY_DONE:
		s->ops->replayed(s->arg, s->named >= m->replay_done->count);
		return 0;
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_CREDENTIAL_UPDATE:
		if (s->ops->credential)
			s->ops->credential(s->arg, m->credential_update);
		return 0;
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_FAILBACK:
		if (s->ops->failback)
			s->ops->failback(s->arg, m->failback->rule_id);
		return 0;
	case PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_FLOW_LIST_REQUEST:
		if (s->ops->flows_wanted)
			s->ops->flows_wanted(s->arg, m->flow_list_request->request_id,
					     m->flow_list_request->rule_id);
		return 0;
	default:
		/* Quotas, and what later servers may say. */
		return 0;
	}
}

int session_message(struct session *s, const uint8_t *data, size_t len)
{
	Portunus__V1__ServerMessage *m = NULL;
	int err;

	if (proto_text_valid(&portunus__v1__server_message__descriptor, data, len))
		m = portunus__v1__server_message__unpack(NULL, len, data);
	if (!m)
		return -EBADMSG;
	err = dispatch(s, m);
	portunus__v1__server_message__free_unpacked(m, NULL);
	return err;
}
