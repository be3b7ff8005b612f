// SPDX-License-Identifier: MIT
/* What an edge says on the control stream, without a stream: messages in, messages out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/control/backoff.h"
#include "edge/control/session.h"
#include "lib/base/log.h"
#include "lib/rule/rule.h"

#define SENT_MAX 64

/* The session's owner: keeps what was said and what was asked for. */
struct rig {
	struct session *s;
	Portunus__V1__ClientMessage *sent[SENT_MAX];
	int n_sent;
	int room; /* messages that the stream still takes; -1: any number */
	int send_error;
	bool paused;
	int welcomes, pushes, refusals, removals, replays, wanted;
	char version[32];
	uint64_t last_rule;
	const char *push_answer;
	bool known, whole;
	char owner[32]; /* of the last caps */
	int owner_updates;
	bool owner_capped;
	uint64_t owner_most;
	uint64_t saved_by;
	uint64_t wanted_id;
	size_t wanted_n;
	char order[SENT_MAX]; /* p: push, s: sent */
	int n_order;
};

static int rig_send(void *arg, const uint8_t *data, size_t len)
{
	struct rig *r = arg;

	if (r->send_error)
		return r->send_error;
	if (r->room == 0)
		return -EAGAIN;
	if (r->room > 0)
		r->room--;
	r->sent[r->n_sent] = portunus__v1__client_message__unpack(NULL, len, data);
	assert_non_null(r->sent[r->n_sent]);
	r->n_sent++;
	r->order[r->n_order++] = 's';
	return 0;
}

static void rig_pause(void *arg, bool paused)
{
	((struct rig *)arg)->paused = paused;
}

static void rig_welcome(void *arg, const Portunus__V1__Welcome *w)
{
	struct rig *r = arg;

	r->welcomes++;
	snprintf(r->version, sizeof(r->version), "%s", w->server_version);
}

static const char *rig_push(void *arg, const struct rule *rule)
{
	struct rig *r = arg;

	r->pushes++;
	r->order[r->n_order++] = 'p';
	r->last_rule = rule->id;
	return r->push_answer;
}

static void rig_refused(void *arg, uint64_t rule_id)
{
	((struct rig *)arg)->refusals++;
}

static bool rig_remove(void *arg, uint64_t rule_id, uint64_t *saved_by)
{
	struct rig *r = arg;

	r->removals++;
	r->last_rule = rule_id;
	*saved_by = r->saved_by;
	return r->known;
}

static void rig_owner_caps(void *arg, const char *owner, const struct rate_limit *limit)
{
	struct rig *r = arg;

	snprintf(r->owner, sizeof(r->owner), "%s", owner);
	r->owner_updates++;
	r->owner_capped = limit != NULL;
	r->owner_most = limit ? rate_limit_value(limit, LIMIT_CONCURRENT) : 0;
}

static void rig_replayed(void *arg, bool whole)
{
	struct rig *r = arg;

	r->replays++;
	r->whole = whole;
}

static void rig_wanted(void *arg, const struct stats_request *wanted)
{
	struct rig *r = arg;

	r->wanted++;
	r->wanted_id = wanted->id;
	r->wanted_n = wanted->n;
}

static const struct session_ops ops = {
	.send = rig_send,
	.pause = rig_pause,
	.welcome = rig_welcome,
	.push = rig_push,
	.refused = rig_refused,
	.remove = rig_remove,
	.owner_caps = rig_owner_caps,
	.replayed = rig_replayed,
	.stats_wanted = rig_wanted,
};

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	log_init("test", "off");
	r->room = -1;
	r->s = session_new(&ops, r);
	*state = r;
	return r->s ? 0 : -1;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < r->n_sent; i++)
		portunus__v1__client_message__free_unpacked(r->sent[i], NULL);
	session_free(r->s);
	free(r);
	return 0;
}

static int feed(struct rig *r, const Portunus__V1__ServerMessage *m)
{
	uint8_t buf[4096];

	assert_true(portunus__v1__server_message__get_packed_size(m) <= sizeof(buf));
	return session_message(r->s, buf, portunus__v1__server_message__pack(m, buf));
}

static int feed_update(struct rig *r, const char *request_id, Portunus__V1__RuleAction action,
		       Portunus__V1__Rule *rule)
{
	Portunus__V1__RuleUpdate u = PORTUNUS__V1__RULE_UPDATE__INIT;
	Portunus__V1__ServerMessage m = PORTUNUS__V1__SERVER_MESSAGE__INIT;

	u.request_id = (char *)request_id;
	u.action = action;
	u.rule = rule;
	m.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_RULE_UPDATE;
	m.rule_update = &u;
	return feed(r, &m);
}

static int feed_replay_done(struct rig *r, uint32_t count)
{
	Portunus__V1__ReplayDone done = PORTUNUS__V1__REPLAY_DONE__INIT;
	Portunus__V1__ServerMessage m = PORTUNUS__V1__SERVER_MESSAGE__INIT;

	done.count = count;
	m.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_REPLAY_DONE;
	m.replay_done = &done;
	return feed(r, &m);
}

static void init_rule(Portunus__V1__Rule *rule, uint64_t id)
{
	portunus__v1__rule__init(rule);
	rule->rule_id = id;
	rule->listen_port = 8080;
	rule->target_host = "192.0.2.1";
	rule->target_port = 80;
	rule->protocol = PORTUNUS__V1__PROTOCOL__TCP;
}

static const Portunus__V1__RuleStatus *last_status(const struct rig *r)
{
	assert_true(r->n_sent > 0);
	assert_int_equal(r->sent[r->n_sent - 1]->payload_case,
			 PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_RULE_STATUS);
	return r->sent[r->n_sent - 1]->rule_status;
}

static void assert_status(const struct rig *r, const char *request_id, uint64_t id, int outcome,
			  const char *reason)
{
	const Portunus__V1__RuleStatus *s = last_status(r);

	assert_string_equal(s->request_id, request_id);
	assert_int_equal(s->rule_id, id);
	assert_int_equal(s->outcome, outcome);
	assert_string_equal(s->reason, reason);
}

static void test_hello(void **state)
{
	static const char *const words[] = {"rule-update",    "rule-options", "source-options",
					    "proxy-protocol", "replay-done",  "credential-update",
					    "range-targets",  "balance",      "failback",
					    "rate-limit"};
	struct rig *r = *state;
	const Portunus__V1__Hello *h;

	assert_int_equal(session_hello(r->s, false), 0);
	assert_int_equal(r->sent[0]->payload_case, PORTUNUS__V1__CLIENT_MESSAGE__PAYLOAD_HELLO);
	h = r->sent[0]->hello;
	assert_string_equal(h->protocol_version, "1.0.0");
	assert_string_equal(h->client_version, "0.11.0");
	assert_int_equal(h->n_supported_protocols, 2);
	assert_int_equal(h->supported_protocols[0], PORTUNUS__V1__PROTOCOL__TCP);
	assert_int_equal(h->supported_protocols[1], PORTUNUS__V1__PROTOCOL__UDP);
	assert_string_equal(h->capabilities[0], "version=" PORTUNUS_VERSION);
	assert_string_equal(h->capabilities[h->n_capabilities - 1], "accounting=user");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t k = 0;

		while (k < h->n_capabilities && strcmp(h->capabilities[k], words[i]))
			k++;
		if (k == h->n_capabilities)
			fail_msg("'%s' is not announced", words[i]);
	}
}

static void test_welcome(void **state)
{
	struct rig *r = *state;
	Portunus__V1__Welcome w = PORTUNUS__V1__WELCOME__INIT;
	Portunus__V1__ServerMessage m = PORTUNUS__V1__SERVER_MESSAGE__INIT;

	w.server_version = "3.1.0";
	m.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_WELCOME;
	m.welcome = &w;
	assert_false(session_is_welcome(r->s));
	assert_int_equal(feed(r, &m), 0);
	assert_true(session_is_welcome(r->s));
	assert_string_equal(r->version, "3.1.0");
	/* A late one means nothing. */
	assert_int_equal(feed(r, &m), 0);
	assert_int_equal(r->welcomes, 1);
}

static void test_push(void **state)
{
	struct rig *r = *state;
	Portunus__V1__Rule rule;

	init_rule(&rule, 0);
	assert_int_equal(feed_update(r, "01J", PORTUNUS__V1__RULE_ACTION__PUSH, &rule), 0);
	assert_int_equal(r->pushes, 1);
	assert_status(r, "01J", 0, PORTUNUS__V1__ACTIVATION_OUTCOME__ACTIVATED, "");
	assert_string_equal(r->order, "ps"); /* in force before it is said to be */

	r->push_answer = "port_in_use";
	rule.rule_id = 7;
	assert_int_equal(feed_update(r, "02J", PORTUNUS__V1__RULE_ACTION__PUSH, &rule), 0);
	assert_status(r, "02J", 7, PORTUNUS__V1__ACTIVATION_OUTCOME__FAILED, "port_in_use");
}

static void test_refused_with_request_id(void **state)
{
	struct rig *r = *state;
	Portunus__V1__Rule rule;

	init_rule(&rule, 9);
	rule.protocol = 77;
	assert_int_equal(feed_update(r, "a", PORTUNUS__V1__RULE_ACTION__PUSH, &rule), 0);
	assert_status(r, "a", 9, PORTUNUS__V1__ACTIVATION_OUTCOME__FAILED, "unsupported_protocol");

	init_rule(&rule, 9);
	rule.target_port = 0;
	assert_int_equal(feed_update(r, "b", PORTUNUS__V1__RULE_ACTION__PUSH, &rule), 0);
	assert_status(r, "b", 9, PORTUNUS__V1__ACTIVATION_OUTCOME__FAILED, "target_invalid_port:0");

	init_rule(&rule, 9);
	rule.listen_port_end = 8090;
	rule.target_port_end = 91;
	assert_int_equal(feed_update(r, "c", PORTUNUS__V1__RULE_ACTION__PUSH, &rule), 0);
	assert_status(r, "c", 9, PORTUNUS__V1__ACTIVATION_OUTCOME__FAILED, "range_invalid");
	assert_int_equal(r->pushes, 0);
	assert_int_equal(r->refusals, 3);
}

static void test_remove(void **state)
{
	struct rig *r = *state;
	Portunus__V1__Rule rule = PORTUNUS__V1__RULE__INIT;

	rule.rule_id = 5;
	r->known = true;
	assert_int_equal(feed_update(r, "x", PORTUNUS__V1__RULE_ACTION__REMOVE, &rule), 0);
	assert_status(r, "x", 5, PORTUNUS__V1__ACTIVATION_OUTCOME__REMOVED, "");
	r->known = false;
	assert_int_equal(feed_update(r, "y", PORTUNUS__V1__RULE_ACTION__REMOVE, &rule), 0);
	assert_status(r, "y", 5, PORTUNUS__V1__ACTIVATION_OUTCOME__REMOVED, "");
	assert_int_equal(r->removals, 2);
}

/* Whoever is told that a rule is gone can rely on it: the answer waits for the disk. */
static void test_remove_is_saved_first(void **state)
{
	struct rig *r = *state;
	Portunus__V1__Rule rule = PORTUNUS__V1__RULE__INIT;

	r->known = true;
	for (unsigned i = 1; i <= 3; i++) {
		char id[] = {(char)('0' + i), '\0'};

		rule.rule_id = i;
		r->saved_by = i == 3 ? 9 : 7;
		feed_update(r, id, PORTUNUS__V1__RULE_ACTION__REMOVE, &rule);
	}
	assert_int_equal(r->n_sent, 0);
	assert_int_equal(session_saved(r->s, 6), 0);
	assert_int_equal(r->n_sent, 0);
	assert_int_equal(session_saved(r->s, 8), 0);
	assert_int_equal(r->n_sent, 2);
	assert_status(r, "2", 2, PORTUNUS__V1__ACTIVATION_OUTCOME__REMOVED, "");
	assert_int_equal(session_saved(r->s, 9), 0);
	assert_status(r, "3", 3, PORTUNUS__V1__ACTIVATION_OUTCOME__REMOVED, "");
	assert_int_equal(r->n_sent, 3);
	/* One that is still waiting ends with the session. */
	feed_update(r, "4", PORTUNUS__V1__RULE_ACTION__REMOVE, &rule);
}

static void test_ignored(void **state)
{
	struct rig *r = *state;
	static const uint8_t later[] = {0xda, 0x3f, 0x02, 0x08, 0x01};
	static const uint8_t broken[] = {0x12, 0x7f, 0x01};
	Portunus__V1__Rule rule;

	init_rule(&rule, 1);
	assert_int_equal(feed_update(r, "a", PORTUNUS__V1__RULE_ACTION__PUSH, NULL), 0);
	assert_int_equal(feed_update(r, "b", 0, &rule), 0);
	assert_int_equal(session_message(r->s, later, sizeof(later)), 0);
	assert_int_equal(session_message(r->s, later, 0), 0);
	assert_int_equal(session_message(r->s, broken, sizeof(broken)), -EBADMSG);
	rule.target_host = "\xff.example";
	assert_int_equal(feed_update(r, "c", PORTUNUS__V1__RULE_ACTION__PUSH, &rule), -EBADMSG);
	assert_int_equal(r->n_sent + r->pushes + r->removals, 0);
}

static void test_replay_done(void **state)
{
	struct rig *r = *state;
	Portunus__V1__Rule rule;

	init_rule(&rule, 1);
	feed_update(r, "replay-1", PORTUNUS__V1__RULE_ACTION__PUSH, &rule);
	assert_int_equal(feed_replay_done(r, 2), 0);
	assert_false(r->whole);
	/* A rule that an operator removed meanwhile was never pushed. */
	feed_update(r, "op", PORTUNUS__V1__RULE_ACTION__REMOVE, &rule);
	assert_int_equal(feed_replay_done(r, 2), 0);
	assert_true(r->whole);
	assert_int_equal(r->replays, 2);
}

static int feed_caps(struct rig *r, const char *owner, int action, Portunus__V1__RateLimit *limit)
{
	Portunus__V1__OwnerRateLimitUpdate u = PORTUNUS__V1__OWNER_RATE_LIMIT_UPDATE__INIT;
	Portunus__V1__ServerMessage m = PORTUNUS__V1__SERVER_MESSAGE__INIT;

	u.owner_id = (char *)owner;
	u.action = (Portunus__V1__OwnerRateLimitAction)action;
	u.rate_limit = limit;
	m.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_OWNER_RATE_LIMIT_UPDATE;
	m.owner_rate_limit_update = &u;
	return feed(r, &m);
}

static void test_owner_caps(void **state)
{
	struct rig *r = *state;
	Portunus__V1__RateLimit limit = PORTUNUS__V1__RATE_LIMIT__INIT;

	limit._concurrent_connections_case =
		PORTUNUS__V1__RATE_LIMIT___CONCURRENT_CONNECTIONS_CONCURRENT_CONNECTIONS;
	limit.concurrent_connections = 9;
	assert_int_equal(feed_caps(r, "ann", 1, &limit), 0);
	assert_string_equal(r->owner, "ann");
	assert_true(r->owner_capped);
	assert_int_equal(r->owner_most, 9);
	/* Without an envelope it caps nothing, and is there. */
	assert_int_equal(feed_caps(r, "bob", 1, NULL), 0);
	assert_true(r->owner_capped);
	assert_int_equal(r->owner_most, 0);
	assert_int_equal(feed_caps(r, "ann", 2, NULL), 0);
	assert_false(r->owner_capped);
	assert_int_equal(r->owner_updates, 3);
	/* What says nothing, or nothing that may be. */
	assert_int_equal(feed_caps(r, "ann", 0, &limit), 0);
	assert_int_equal(feed_caps(r, "", 1, &limit), 0);
	limit.concurrent_connections = 0;
	assert_int_equal(feed_caps(r, "ann", 1, &limit), 0);
	assert_int_equal(r->owner_updates, 3);
	assert_int_equal(r->n_sent, 0);
}

static void test_stats_request(void **state)
{
	struct rig *r = *state;
	uint64_t ids[] = {3, 4};
	Portunus__V1__StatsRequest q = PORTUNUS__V1__STATS_REQUEST__INIT;
	Portunus__V1__ServerMessage m = PORTUNUS__V1__SERVER_MESSAGE__INIT;

	q.request_id = 12;
	q.n_rule_ids = 2;
	q.rule_ids = ids;
	m.payload_case = PORTUNUS__V1__SERVER_MESSAGE__PAYLOAD_STATS_REQUEST;
	m.stats_request = &q;
	assert_int_equal(feed(r, &m), 0);
	assert_int_equal(r->wanted_id, 12);
	assert_int_equal(r->wanted_n, 2);
}

static void test_answers_wait_for_room_in_order(void **state)
{
	struct rig *r = *state;
	Portunus__V1__StatsReport report = PORTUNUS__V1__STATS_REPORT__INIT;
	Portunus__V1__Rule rule;
	char id[2] = "a";

	init_rule(&rule, 1);
	r->room = 1;
	for (; *id <= 'd'; ++*id)
		assert_int_equal(feed_update(r, id, PORTUNUS__V1__RULE_ACTION__PUSH, &rule), 0);
	assert_int_equal(r->n_sent, 1);
	assert_true(r->paused);
	/* A report would overtake the answers. */
	assert_int_equal(session_report(r->s, &report), -EAGAIN);
	r->room = 2;
	assert_int_equal(session_drained(r->s), -EAGAIN);
	assert_true(r->paused);
	r->room = -1;
	assert_int_equal(session_drained(r->s), 0);
	assert_false(r->paused);
	assert_int_equal(r->n_sent, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(r->sent[i]->rule_status->request_id[0], 'a' + i);
	assert_int_equal(session_report(r->s, &report), 0);
}

static void test_a_broken_stream_is_told(void **state)
{
	struct rig *r = *state;
	Portunus__V1__Rule rule;

	init_rule(&rule, 1);
	r->send_error = -EPIPE;
	assert_int_equal(feed_update(r, "a", PORTUNUS__V1__RULE_ACTION__PUSH, &rule), -EPIPE);
	assert_int_equal(session_rule_active(r->s, 1), -EPIPE);
}

static void test_later_success_has_no_request_id(void **state)
{
	struct rig *r = *state;

	assert_int_equal(session_rule_active(r->s, 3), 0);
	assert_status(r, "", 3, PORTUNUS__V1__ACTIVATION_OUTCOME__ACTIVATED, "");
}

static void test_backoff(void **state)
{
	assert_int_equal(control_backoff_ms(500, 30000, 0), 500);
	assert_int_equal(control_backoff_ms(500, 30000, 1), 1000);
	assert_int_equal(control_backoff_ms(500, 30000, 5), 16000);
	assert_int_equal(control_backoff_ms(500, 30000, 6), 30000);
	assert_int_equal(control_backoff_ms(500, 30000, 31), 30000);
	assert_int_equal(control_backoff_ms(500, 30000, 1000), 30000);
	assert_int_equal(control_backoff_ms(3600000, 1000, 0), 1000);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_hello),
		T(test_welcome),
		T(test_push),
		T(test_refused_with_request_id),
		T(test_remove),
		T(test_remove_is_saved_first),
		T(test_ignored),
		T(test_replay_done),
		T(test_owner_caps),
		T(test_stats_request),
		T(test_answers_wait_for_room_in_order),
		T(test_a_broken_stream_is_told),
		T(test_later_success_has_no_request_id),
		cmocka_unit_test(test_backoff),
	};

	return cmocka_run_group_tests_name("control_session", tests, NULL, NULL);
}
