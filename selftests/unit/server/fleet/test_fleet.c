// SPDX-License-Identifier: MIT
/* The fleet without a network: a pretended edge records what it is sent and answers as told. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <jansson.h>
#include <sqlite3.h>

#include "lib/wire/capability.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/utf8.h"
#include "server/fleet/fleet.h"
#include "server/fleet/health_history.h"
#include "server/fleet/history.h"
#include "server/fleet/renewal.h"
#include "server/access/certificate.h"
#include "server/store/inner.h"
#include "selftests/unit/server/store/stored.h"

#define CLIENT "01J9ZK8M3Q6S7T8V9W0X1Y2Z3A"

struct fixture {
	char dir[64], data[80];
	struct event_base *base;
	struct store *store;
	struct fleet *fleet;
	struct session *session;
	/* What the edge got: "push 1;remove 1;stats 1;done 1;" */
	char log[4096], request_id[64], closed[32], history[400];
	unsigned sent_targets; /* of the last push */
	bool sent_allow;
	int room; /* messages the link still takes; -1: any number */
	/* What the operator was told. */
	int answers;
	char answer[64], message[256];
	uint64_t answered_rule, answered_rule_id, began_ms, credential_serial;
	char cert[96], key[96];
	int switch_error;
	/* What a refresh gave. */
	int refreshed;
	uint64_t refreshed_bytes, asked;
};

static int take(struct fixture *f, const char *what, uint64_t value)
{
	size_t n = strlen(f->log);

	if (f->room == 0)
		return -EAGAIN;
	if (f->room > 0)
		f->room--;
	snprintf(f->log + n, sizeof(f->log) - n, "%s %llu;", what, (unsigned long long)value);
	return 0;
}

static int link_push(void *link, const char *request_id, const struct rule *rule)
{
	struct fixture *f = link;
	int err = take(f, "push", rule->id);

	if (err)
		return err;
	snprintf(f->request_id, sizeof(f->request_id), "%s", request_id);
	f->sent_targets = rule->n_targets;
	f->sent_allow = rule->allow != NULL;
	return 0;
}

static int link_remove(void *link, const char *request_id, const struct rule *rule)
{
	return take(link, "remove", rule->id);
}

static int link_stats(void *link, uint64_t serial, bool per_port, const uint64_t *rule_ids,
		      size_t n)
{
	struct fixture *f = link;

	f->asked = n == 1 ? rule_ids[0] : 0;
	return take(link, "stats", serial);
}

static int link_done(void *link, uint32_t count)
{
	return take(link, "done", count);
}

static void link_close(void *link, const char *why)
{
	struct fixture *f = link;

	snprintf(f->closed, sizeof(f->closed), "%s", why);
	f->session = NULL;
}

static const struct fleet_link_ops ops = {
	.push = link_push,
	.remove = link_remove,
	.stats_request = link_stats,
	.replay_done = link_done,
	.close = link_close,
};

static void put_client(struct fixture *f, const char *id, const char *name, const char *token)
{
	assert_int_equal(STORED(f->store,
				store_client_put(tx, &(struct store_client){.id = id,
									    .name = name,
									    .token_hash = token,
									    .provisioned_ms = 1})),
			 0);
}

static void start(struct fixture *f)
{
	char why[256];

	assert_int_equal(store_open(f->data, &f->store, why, sizeof(why)), 0);
	put_client(f, CLIENT, "edge-01", "hash-1");
	f->fleet = fleet_new(f->base, f->store);
	assert_non_null(f->fleet);
	assert_int_equal(fleet_load(f->fleet), 0);
}

static void stop(struct fixture *f)
{
	fleet_free(f->fleet);
	store_close(f->store);
	f->session = NULL;
	f->log[0] = '\0';
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_init("test", "off");
	snprintf(f->dir, sizeof(f->dir), "/var/tmp/portunus-fleet.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->data, sizeof(f->data), "%s/data", f->dir);
	f->base = event_base_new();
	f->room = -1;
	start(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	stop(f);
	event_base_free(f->base);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* The first @n of all that an edge may announce. */
static void connect_with(struct fixture *f, const char *version, size_t n)
{
	static const char *const capabilities[] = {
		CAPABILITY_RULE_UPDATE, CAPABILITY_RULE_OPTIONS, CAPABILITY_STATS_REQUEST,
		CAPABILITY_REPLAY_DONE, "version=9.9",		 "accounting=bpf",
		CAPABILITY_SOURCE,	CAPABILITY_CREDENTIAL};
	const struct fleet_hello hello = {.client_version = version,
					  .capabilities = capabilities,
					  .n_capabilities = n};

	f->session = fleet_session_begin(f->fleet, fleet_client(f->fleet, CLIENT), &ops, f,
					 "192.0.2.1:5");
	assert_non_null(f->session);
	fleet_session_hello(f->session, &hello);
}

static void connect_as(struct fixture *f, const char *version, bool ours)
{
	connect_with(f, version, ours ? 6 : 0);
}

static struct rule *make_rule(const char *json)
{
	struct rule_error err;
	json_t *o = json_loads(json, 0, NULL);
	struct rule *r = rule_parse_push(o, &err);

	json_decref(o);
	if (!r)
		fail_msg("%s: %s", err.code, err.message);
	r->owner = strdup("ops");
	return r;
}

static void done(void *arg, struct fleet_rule *r, const struct fleet_error *err)
{
	struct fixture *f = arg;

	f->answers++;
	f->answered_rule = r ? r->rule->id : 0;
	snprintf(f->answer, sizeof(f->answer), "%s", err ? err->e.code : "ok");
	snprintf(f->message, sizeof(f->message), "%s", err ? err->e.message : "");
	f->answered_rule_id = err ? err->rule_id : 0;
}

#define SINGLE(port)                                                                       \
	"{\"client\":\"edge-01\",\"listen_port\":" #port ",\"target_host\":\"a.example\"," \
	"\"target_port\":443}"
#define DOUBLE(port)                                     \
	"{\"client\":\"edge-01\",\"listen_port\":" #port \
	",\"targets\":[{\"host\":\"a.example\",\"port\":1},{\"host\":\"b.example\",\"port\":2}]}"

/* "" when the push is on its way, else the code of the refusal. */
static const char *push(struct fixture *f, const char *json)
{
	static struct fleet_error err;
	bool refused = fleet_push(f->fleet, make_rule(json), done, f, &err);

	store_settle(f->store);
	return refused ? err.e.code : "";
}

static void say_status(struct fixture *f, const char *request_id, uint64_t rule_id,
		       enum fleet_outcome outcome, const char *reason)
{
	fleet_session_status(f->session, request_id, rule_id, outcome, reason);
	store_settle(f->store);
}

/* As on_outcome(), of a client. */
static void on_client(void *arg, struct fleet_client *c, int err)
{
	on_outcome(arg, err);
}

static void loop_ms(struct fixture *f, int ms)
{
	const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_base_loopexit(f->base, &wait);
	event_base_dispatch(f->base);
}

/* A push that the edge accepts at once. */
static uint64_t active(struct fixture *f, const char *json)
{
	size_t n;

	assert_string_equal(push(f, json), "");
	fleet_rules(f->fleet, &n);
	say_status(f, f->request_id, fleet_rules(f->fleet, &n)[n - 1]->rule->id, FLEET_ACTIVATED,
		   "");
	assert_string_equal(f->answer, "ok");
	return f->answered_rule;
}

static void a_push_needs_a_live_session(void **state)
{
	struct fixture *f = *state;
	size_t n;

	assert_string_equal(push(f, SINGLE(80)), "client_not_connected");
	fleet_rules(f->fleet, &n);
	assert_int_equal(n, 0);
	connect_as(f, "0.6.0", false);
	assert_string_equal(push(f, DOUBLE(80)), "multi_target_unsupported_by_client");
	fleet_rules(f->fleet, &n);
	assert_int_equal(n, 0);
	assert_string_equal(push(f, SINGLE(80)), "");
}

static void an_ack_makes_it_active_for_good(void **state)
{
	struct fixture *f = *state;
	struct fleet_rule *r;

	connect_as(f, "0.7.0", true);
	assert_int_equal(active(f, DOUBLE(80)), 1);
	assert_int_equal(f->answers, 1);
	/* Killed, not stopped: what was answered is on the disk. */
	stop(f);
	start(f);
	r = fleet_rule(f->fleet, 1);
	assert_non_null(r);
	assert_int_equal(r->state, FLEET_ACTIVE);
	assert_int_equal(r->rule->n_targets, 2);
	assert_string_equal(r->rule->owner, "ops");
}

static void a_refusal_is_kept_with_its_reason(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	assert_string_equal(push(f, SINGLE(80)), "");
	say_status(f, f->request_id, 1, FLEET_REFUSED, "port_in_use");
	assert_string_equal(f->answer, "activation_failed");
	assert_int_equal(fleet_rule(f->fleet, 1)->state, FLEET_FAILED);
	assert_string_equal(fleet_rule(f->fleet, 1)->reason, "port_in_use");
	assert_string_equal(push(f, SINGLE(80)), "port_in_use");
	assert_string_equal(push(f, SINGLE(81)), "");
}

static void a_refusal_without_request_id_answers_its_push(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "3.1.0", false);
	assert_string_equal(push(f, SINGLE(80)), "");
	say_status(f, "", 1, FLEET_REFUSED, "invalid_target_host");
	assert_string_equal(f->answer, "activation_failed");
}

static void a_late_ack_still_counts(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	assert_string_equal(push(f, "{\"client\":\"edge-01\",\"listen_port\":80,\"target_host\":"
				    "\"a\",\"target_port\":1,\"ack_timeout_secs\":0}"),
			    "");
	assert_int_equal(f->answers, 0);
	loop_ms(f, 20);
	assert_int_equal(f->answers, 1);
	assert_string_equal(f->answer, "ack_timeout");
	assert_int_equal(fleet_rule(f->fleet, 1)->state, FLEET_PENDING);
	say_status(f, f->request_id, 1, FLEET_ACTIVATED, "");
	assert_int_equal(f->answers, 1);
	assert_int_equal(fleet_rule(f->fleet, 1)->state, FLEET_ACTIVE);
	loop_ms(f, 100);
	stop(f);
	start(f);
	assert_int_equal(fleet_rule(f->fleet, 1)->state, FLEET_ACTIVE);
}

static void a_lost_session_ends_the_wait(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	assert_string_equal(push(f, SINGLE(80)), "");
	fleet_session_end(f->session);
	assert_string_equal(f->answer, "ack_timeout");
	assert_int_equal(fleet_connected(f->fleet), 0);
	f->log[0] = '\0';
	/* Pending rules are replayed too. */
	connect_as(f, "0.7.0", true);
	assert_string_equal(f->log, "push 1;done 1;");
	assert_int_equal(strncmp(f->request_id, "replay-", 7), 0);
}

static void replay_covers_every_state_in_order(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	push(f, SINGLE(81));
	say_status(f, f->request_id, 2, FLEET_REFUSED, "bind_failed");
	push(f, SINGLE(82));
	active(f, DOUBLE(83));
	stop(f);
	start(f);
	connect_as(f, "0.7.0", true);
	assert_string_equal(f->log, "push 1;push 2;push 3;push 4;done 4;");
	assert_int_equal(fleet_rule(f->fleet, 1)->state, FLEET_ACTIVE);
	assert_int_equal(fleet_rule(f->fleet, 2)->state, FLEET_PENDING);
	/* An edge that was downgraded cannot have the last, and is not told a count. */
	stop(f);
	start(f);
	connect_as(f, NULL, false);
	assert_string_equal(f->log, "push 1;push 2;push 3;");
	assert_int_equal(fleet_rule(f->fleet, 4)->state, FLEET_FAILED);
	assert_string_equal(fleet_rule(f->fleet, 4)->reason, "multi_target_unsupported_by_client");
}

static void a_full_link_keeps_the_order(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	active(f, SINGLE(81));
	active(f, SINGLE(82));
	stop(f);
	start(f);
	f->room = 1;
	connect_as(f, "0.7.0", true);
	assert_string_equal(f->log, "push 1;");
	/* What an operator does goes before the rest of the replay. */
	assert_string_equal(push(f, SINGLE(90)), "");
	assert_int_equal(SETTLED(f->store,
				 fleet_remove(f->fleet, fleet_rule(f->fleet, 3), on_outcome, &o)),
			 0);
	f->room = -1;
	fleet_session_writable(f->session);
	assert_string_equal(f->log, "push 1;push 4;remove 3;push 2;done 3;");
}

static void a_second_session_supersedes_the_first(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	connect_as(f, "0.7.0", true);
	assert_string_equal(f->closed, "superseded");
	assert_int_equal(fleet_connected(f->fleet), 1);
}

static void revocation_drops_the_session(void **state)
{
	struct fixture *f = *state;
	struct fleet_client *c = fleet_client(f->fleet, CLIENT);

	connect_as(f, "0.7.0", true);
	assert_int_equal(SETTLED(f->store, fleet_client_revoke(f->fleet, c, on_client, &o)), 0);
	assert_string_equal(f->closed, "token_revoked");
	assert_true(c->revoked_ms > 0);
	assert_null(fleet_client_by_name(f->fleet, "edge-01"));
	assert_ptr_equal(fleet_client_by_token(f->fleet, "hash-1"), c);
}

static void a_rename_keeps_the_session(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	assert_int_equal(SETTLED(f->store,
				 fleet_client_rename(f->fleet, fleet_client(f->fleet, CLIENT),
						     "edge-paris", on_client, &o)),
			 0);
	assert_string_equal(push(f, SINGLE(80)), "client_not_connected");
	assert_string_equal(push(f, "{\"client\":\"edge-paris\",\"listen_port\":80,\"target_host\":"
				    "\"a\",\"target_port\":1}"),
			    "");
	assert_int_equal(SETTLED(f->store,
				 fleet_remove(f->fleet, fleet_rule(f->fleet, 1), on_outcome, &o)),
			 0);
	assert_string_equal(f->answer, "rule_removed");
	assert_string_equal(f->log, "done 0;push 1;remove 1;");
}

static const char *update(struct fixture *f, const char *json)
{
	static struct fleet_error err;

	bool refused = fleet_update(f->fleet, fleet_rule(f->fleet, 1), make_rule(json), done, f,
				    &err);

	store_settle(f->store);
	return refused ? err.e.code : "";
}

static void an_update_replaces_targets_or_nothing(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	assert_string_equal(update(f, SINGLE(81)), "validation.rule_update_shape_mismatch");
	assert_string_equal(update(f, DOUBLE(80)), "");
	assert_string_equal(update(f, SINGLE(80)), "update_in_progress");
	say_status(f, f->request_id, 1, FLEET_REFUSED, "range_invalid");
	assert_string_equal(f->answer, "activation_failed");
	assert_int_equal(fleet_rule(f->fleet, 1)->rule->n_targets, 1);
	assert_int_equal(fleet_rule(f->fleet, 1)->state, FLEET_ACTIVE);
	assert_string_equal(update(f, DOUBLE(80)), "");
	say_status(f, f->request_id, 1, FLEET_ACTIVATED, "");
	assert_string_equal(f->answer, "ok");
	stop(f);
	start(f);
	assert_int_equal(fleet_rule(f->fleet, 1)->rule->n_targets, 2);
	/* An existing edge ignores new targets, so it is not asked. */
	connect_as(f, "3.1.0", false);
	assert_string_equal(update(f, SINGLE(80)), "validation.rule_update_shape_mismatch");
}

static void report(struct fixture *f, uint64_t serial, uint64_t epoch, uint64_t rule,
		   uint64_t bytes)
{
	const struct rule_figures fig = {.rule_id = rule,
					 .bytes_in = bytes,
					 .bytes_out = 2 * bytes};
	const struct rule_figures *const list[] = {&fig};

	fleet_session_report(f->session, serial, epoch, list, 1);
}

static void counters_go_on_over_restarts(void **state)
{
	struct fixture *f = *state;
	struct fleet_rule *r;

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	r = fleet_rule(f->fleet, 1);
	report(f, 0, 7, 1, 100);
	assert_int_equal(r->counters.exported[STORE_BYTES_IN], 100);
	report(f, 0, 7, 1, 150);
	assert_int_equal(r->counters.exported[STORE_BYTES_IN], 150);
	stop(f);
	start(f);
	connect_as(f, "0.7.0", true);
	r = fleet_rule(f->fleet, 1);
	report(f, 0, 7, 1, 180); /* 30 while the server was away */
	assert_int_equal(r->counters.exported[STORE_BYTES_IN], 180);
	assert_int_equal(r->counters.exported[STORE_BYTES_OUT], 360);
	report(f, 0, 8, 1, 20); /* a new epoch counts in full */
	assert_int_equal(r->counters.exported[STORE_BYTES_IN], 200);
	report(f, 0, 8, 1, 10); /* a fall within one only re-bases */
	assert_int_equal(r->counters.exported[STORE_BYTES_IN], 200);
	report(f, 0, 8, 1, 15);
	assert_int_equal(r->counters.exported[STORE_BYTES_IN], 205);
}

static void an_old_edge_starts_anew_with_each_session(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "3.1.0", false);
	active(f, SINGLE(80));
	report(f, 0, 0, 1, 100);
	fleet_session_end(f->session);
	loop_ms(f, 5);
	connect_as(f, "3.1.0", false);
	report(f, 0, 0, 1, 130);
	assert_int_equal(fleet_rule(f->fleet, 1)->counters.exported[STORE_BYTES_IN], 230);
}

static void a_late_report_revives_nothing(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	assert_int_equal(SETTLED(f->store,
				 fleet_remove(f->fleet, fleet_rule(f->fleet, 1), on_outcome, &o)),
			 0);
	report(f, 0, 7, 1, 100);
	assert_null(fleet_rule(f->fleet, 1));
}

static void refreshed(void *arg, struct fleet_rule *r)
{
	struct fixture *f = arg;

	f->refreshed++;
	f->refreshed_bytes = r && r->figures ? r->figures->bytes_in : 0;
}

static void an_answer_is_never_older_than_the_question(void **state)
{
	struct fixture *f = *state;
	struct fleet_rule *r;

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	r = fleet_rule(f->fleet, 1);
	f->log[0] = '\0';
	fleet_refresh(f->fleet, r, false, refreshed, f);
	fleet_refresh(f->fleet, r, false, refreshed, f);
	fleet_refresh(f->fleet, r, false, refreshed, f);
	assert_string_equal(f->log, "stats 1;");
	assert_int_equal(f->asked, 1); /* one rule, not all the edge has */
	report(f, 0, 7, 1, 5);	       /* the periodic one answers nobody */
	assert_int_equal(f->refreshed, 0);
	report(f, 1, 7, 1, 10);
	/* The other two came after the first question had left: one more for both. */
	assert_int_equal(f->refreshed, 1);
	assert_string_equal(f->log, "stats 1;stats 2;");
	report(f, 2, 7, 1, 11);
	assert_int_equal(f->refreshed, 3);
	assert_int_equal(f->refreshed_bytes, 11);
}

static void an_unanswered_question_times_out(void **state)
{
	struct fixture *f = *state;
	uint64_t began;

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	report(f, 0, 7, 1, 5);
	began = clock_mono_ns();
	fleet_refresh(f->fleet, fleet_rule(f->fleet, 1), false, refreshed, f);
	loop_ms(f, 700);
	assert_int_equal(f->refreshed, 1);
	assert_int_equal(f->refreshed_bytes, 5);
	assert_true(clock_mono_ns() - began >= 500 * NS_PER_MS);
	/* And does not hold up the next one. */
	f->log[0] = '\0';
	fleet_refresh(f->fleet, fleet_rule(f->fleet, 1), false, refreshed, f);
	assert_string_equal(f->log, "stats 2;");
	fleet_session_end(f->session);
	assert_int_equal(f->refreshed, 2);
	/* An edge that cannot be asked is not waited for. */
	connect_as(f, "3.1.0", false);
	fleet_refresh(f->fleet, fleet_rule(f->fleet, 1), false, refreshed, f);
	assert_int_equal(f->refreshed, 3);
}

struct watcher {
	struct fleet_watch w;
	char seen[32];
};

static void news(struct fleet_watch *w, struct fleet_rule *r, enum fleet_news what)
{
	struct watcher *me = (struct watcher *)w;

	strcat(me->seen, what == FLEET_REPORTED ? "r" : what == FLEET_GONE ? "g" : "h");
}

static void watchers_hear_of_reports_and_the_end(void **state)
{
	struct fixture *f = *state;
	struct watcher one = {.w.news = news}, two = {.w.news = news};
	struct rule_figures fig = {.rule_id = 1};
	const struct rule_figures *const list[] = {&fig};

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	fleet_watch(fleet_rule(f->fleet, 1), &one.w);
	fleet_watch(fleet_rule(f->fleet, 1), &two.w);
	fleet_session_report(f->session, 0, 7, list, 1);
	fleet_unwatch(&two.w);
	fig.failovers = 1;
	fleet_session_report(f->session, 0, 7, list, 1);
	assert_int_equal(SETTLED(f->store,
				 fleet_remove(f->fleet, fleet_rule(f->fleet, 1), on_outcome, &o)),
			 0);
	assert_string_equal(one.seen, "rhg");
	assert_string_equal(two.seen, "r");
}

static void a_redeemed_code_rotates_the_token(void **state)
{
	struct fixture *f = *state;
	struct store_code code = {.client_id = CLIENT, .name = "edge-01", .expires_ms = 1};
	struct store_code fresh = {.client_id = "01J9ZK8M3Q6S7T8V9W0X1Y2Z3B",
				   .name = "new",
				   .address = "h.example"};

	code.expires_ms = fresh.expires_ms = clock_wall_ms() + 60000;
	connect_as(f, "0.7.0", true);
	strcpy(fleet_client(f->fleet, CLIENT)->pins, "aa");
	fleet_client(f->fleet, CLIENT)->caps_owners = true;
	assert_int_equal(STORED(f->store, store_code_add(tx, "code-1", &code)), 0);
	assert_int_equal(SETTLED(f->store, fleet_client_redeem(f->fleet, "code-1", &code, "hash-2",
							       on_client, &o)),
			 0);
	/* What the edge of before has said is forgotten, as on the disk. */
	assert_string_equal(fleet_client(f->fleet, CLIENT)->pins, "");
	assert_false(fleet_client(f->fleet, CLIENT)->caps_owners);
	assert_string_equal(f->closed, "token_rotated");
	assert_null(fleet_client_by_token(f->fleet, "hash-1"));
	assert_non_null(fleet_client_by_token(f->fleet, "hash-2"));
	assert_int_equal(SETTLED(f->store, fleet_client_redeem(f->fleet, "code-1", &code, "hash-3",
							       on_client, &o)),
			 -ENOENT);
	assert_int_equal(STORED(f->store, store_code_add(tx, "code-2", &fresh)), 0);
	assert_int_equal(SETTLED(f->store, fleet_client_redeem(f->fleet, "code-2", &fresh, "hash-4",
							       on_client, &o)),
			 0);
	assert_string_equal(fleet_client_by_token(f->fleet, "hash-4")->name, "new");
}

static unsigned targets(struct fixture *f)
{
	return fleet_rule(f->fleet, 1)->rule->n_targets;
}

/* Ends the server without a word, and starts it again: nothing in memory is written. */
static void crash(struct fixture *f)
{
	char command[512];

	/* The files as they are now, for the next start. */
	snprintf(command, sizeof(command), "cp -a '%s' '%s.crash'", f->data, f->data);
	assert_int_equal(system(command), 0);
	stop(f);
	snprintf(command, sizeof(command), "rm -rf '%s' && mv '%s.crash' '%s'", f->data, f->data,
		 f->data);
	assert_int_equal(system(command), 0);
	start(f);
}

static void an_update_is_in_force_when_the_edge_says_so(void **state)
{
	struct fixture *f = *state;
	char asked[64];

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	assert_string_equal(update(f, DOUBLE(80)), "");
	strcpy(asked, f->request_id);
	assert_int_equal(f->sent_targets, 2);
	assert_int_equal(targets(f), 1);
	/* In the middle of it: the rule is what the edge has confirmed. */
	crash(f);
	assert_int_equal(targets(f), 1);
	assert_int_equal(fleet_rule(f->fleet, 1)->state, FLEET_ACTIVE);
	/* The change is not lost: the edge gets it again. */
	connect_as(f, "0.7.0", true);
	assert_int_equal(f->sent_targets, 2);
	say_status(f, asked, 1, FLEET_ACTIVATED, "");
	assert_int_equal(targets(f), 1); /* an answer to another server's life */
	say_status(f, f->request_id, 1, FLEET_ACTIVATED, "");
	assert_int_equal(targets(f), 2);
	crash(f);
	assert_int_equal(targets(f), 2);
	assert_int_equal(fleet_rule(f->fleet, 1)->state, FLEET_ACTIVE);
	assert_null(fleet_rule(f->fleet, 1)->next);
}

#define SLOW_DOUBLE(port, timeout)                                                         \
	"{\"client\":\"edge-01\",\"listen_port\":" #port ",\"ack_timeout_secs\":" #timeout \
	",\"targets\":[{\"host\":\"a.example\",\"port\":1},{\"host\":\"b.example\","       \
	"\"port\":2}]}"

static void a_late_refusal_leaves_the_rule_as_it_was(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	assert_string_equal(update(f, SLOW_DOUBLE(80, 0)), "");
	loop_ms(f, 20);
	assert_string_equal(f->answer, "ack_timeout");
	assert_int_equal(fleet_rule(f->fleet, 1)->state, FLEET_ACTIVE);
	say_status(f, f->request_id, 1, FLEET_REFUSED, "bind_failed");
	assert_int_equal(targets(f), 1);
	assert_int_equal(fleet_rule(f->fleet, 1)->state, FLEET_ACTIVE);
	crash(f);
	assert_int_equal(targets(f), 1);
	connect_as(f, "0.7.0", true);
	assert_int_equal(f->sent_targets, 1);
}

static void a_refused_update_in_doubt_is_settled(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	assert_string_equal(update(f, DOUBLE(80)), "");
	/* The edge may have taken it over when its session ended. */
	fleet_session_end(f->session);
	assert_string_equal(f->answer, "ack_timeout");
	connect_as(f, "0.7.0", true);
	assert_int_equal(f->sent_targets, 2);
	f->log[0] = '\0';
	say_status(f, f->request_id, 1, FLEET_REFUSED, "bind_failed");
	assert_string_equal(f->log, "push 1;");
	assert_int_equal(f->sent_targets, 1);
}

static void a_long_wait_gives_way_to_a_newer_change(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	assert_string_equal(update(f, SLOW_DOUBLE(80, 3600)), "");
	assert_string_equal(update(f, SINGLE(80)), "update_in_progress");
	loop_ms(f, 2100);
	assert_string_equal(update(f, DOUBLE(80)), "");
	assert_string_equal(f->answer, "conflict");
	say_status(f, f->request_id, 1, FLEET_ACTIVATED, "");
	assert_string_equal(f->answer, "ok");
	assert_int_equal(targets(f), 2);
}

static void a_replay_never_speaks_after_an_update(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	active(f, SINGLE(81));
	stop(f);
	start(f);
	f->room = 0;
	connect_as(f, "0.7.0", true);
	assert_string_equal(update(f, DOUBLE(80)), "");
	f->room = 2;
	fleet_session_writable(f->session);
	assert_string_equal(f->log, "push 1;push 1;");
	assert_int_equal(f->sent_targets, 2);
	f->room = -1;
	fleet_session_writable(f->session);
	assert_string_equal(f->log, "push 1;push 1;push 2;done 2;");
}

#define ALLOWING(port)                                                                     \
	"{\"client\":\"edge-01\",\"listen_port\":" #port ",\"target_host\":\"a.example\"," \
	"\"target_port\":443,\"allow\":[\"10.0.0.0/8\"]}"
#define WITH_SOURCE 7

static void an_update_waits_for_an_edge_that_knows_it(void **state)
{
	struct fixture *f = *state;

	connect_with(f, "0.7.0", WITH_SOURCE);
	active(f, SINGLE(80));
	assert_string_equal(update(f, ALLOWING(80)), "");
	assert_true(f->sent_allow);
	fleet_session_end(f->session);
	/* Downgraded meanwhile: it would say yes, and let everybody in. */
	connect_as(f, "0.7.0", true);
	assert_false(f->sent_allow);
	say_status(f, f->request_id, 1, FLEET_ACTIVATED, "");
	assert_null(fleet_rule(f->fleet, 1)->rule->allow);
	connect_with(f, "0.7.0", WITH_SOURCE);
	assert_true(f->sent_allow);
	say_status(f, f->request_id, 1, FLEET_ACTIVATED, "");
	assert_non_null(fleet_rule(f->fleet, 1)->rule->allow);
}

/* The edge comes back as another while the store has the update. */
static void an_update_is_refused_by_the_edge_that_came(void **state)
{
	static const struct {
		const char *json, *code;
		size_t capabilities;
	} edges[] = {
		{ALLOWING(80), "rule_options_unsupported_by_client", WITH_SOURCE - 1},
		{SINGLE(80), "validation.rule_update_shape_mismatch", 0},
	};
	struct fixture *f = *state;
	struct fleet_error err;

	connect_with(f, "0.7.0", WITH_SOURCE);
	active(f, DOUBLE(80));
	for (size_t i = 0; i < 2; i++) {
		connect_with(f, "0.7.0", WITH_SOURCE);
		assert_int_equal(fleet_update(f->fleet, fleet_rule(f->fleet, 1),
					      make_rule(edges[i].json), done, f, &err),
				 0);
		connect_with(f, "0.7.0", edges[i].capabilities);
		f->log[0] = '\0';
		store_settle(f->store);
		assert_string_equal(f->answer, edges[i].code);
		assert_int_equal(f->answered_rule_id, 1);
		assert_string_equal(f->log, "");
		assert_null(fleet_rule(f->fleet, 1)->next);
		assert_int_equal(targets(f), 2);
	}
	crash(f);
	assert_null(fleet_rule(f->fleet, 1)->next);
}

/* What settles the doubt is for the edge that is there by then. */
static void a_doubt_is_not_settled_past_the_gate(void **state)
{
	struct fixture *f = *state;
	char asked[64];

	connect_with(f, "0.7.0", WITH_SOURCE);
	active(f, ALLOWING(80));
	assert_string_equal(update(f, SINGLE(80)), "");
	fleet_session_end(f->session);
	connect_with(f, "0.7.0", WITH_SOURCE);
	strcpy(asked, f->request_id);
	fleet_session_status(f->session, asked, 1, FLEET_REFUSED, "bind_failed");
	f->log[0] = '\0';
	connect_as(f, "0.7.0", true);
	assert_string_equal(f->log, "done 0;");
	store_settle(f->store);
	assert_string_equal(f->log, "done 0;");
	assert_null(fleet_rule(f->fleet, 1)->next);
	assert_int_equal(fleet_rule(f->fleet, 1)->state, FLEET_FAILED);
}

#define OTHER "01J9ZK8M3Q6S7T8V9W0X1Y2Z3B"

/* A code of that client id, made at @created_ms; its hash is its name. */
static void put_code(struct fixture *f, struct store_code *c, const char *id, const char *name,
		     uint64_t created_ms)
{
	*c = (struct store_code){.name = (char *)name,
				 .endpoint = "h:1",
				 .created_ms = created_ms,
				 .expires_ms = clock_wall_ms() + 60000};
	strcpy(c->client_id, id);
	assert_int_equal(STORED(f->store, store_code_add(tx, name, c)), 0);
}

static void names_are_unique_among_those_not_revoked(void **state)
{
	struct fixture *f = *state;
	struct fleet_client *first = fleet_client(f->fleet, CLIENT), *second;
	struct store_code code;

	put_code(f, &code, OTHER, "edge-01", clock_wall_ms());
	assert_int_equal(SETTLED(f->store, fleet_client_redeem(f->fleet, "edge-01", &code, "hash-2",
							       on_client, &o)),
			 -EEXIST);
	put_code(f, &code, OTHER, "edge-02", clock_wall_ms());
	assert_int_equal(SETTLED(f->store, fleet_client_redeem(f->fleet, "edge-02", &code, "hash-2",
							       on_client, &o)),
			 0);
	second = fleet_client(f->fleet, OTHER);
	assert_int_equal(SETTLED(f->store,
				 fleet_client_rename(f->fleet, second, "edge-01", on_client, &o)),
			 -EEXIST);
	assert_int_equal(SETTLED(f->store,
				 fleet_client_rename(f->fleet, second, "edge-02", on_client, &o)),
			 0);
	assert_int_equal(SETTLED(f->store, fleet_client_revoke(f->fleet, first, on_client, &o)), 0);
	assert_int_equal(SETTLED(f->store,
				 fleet_client_rename(f->fleet, second, "edge-01", on_client, &o)),
			 0);
	/* The revoked one may not come back while somebody has its name. */
	put_code(f, &code, CLIENT, "again", clock_wall_ms() + 5);
	assert_int_equal(SETTLED(f->store, fleet_client_redeem(f->fleet, "again", &code, "hash-3",
							       on_client, &o)),
			 -EEXIST);
	assert_ptr_equal(fleet_client_find(f->fleet, "edge-01"), second);
	assert_ptr_equal(fleet_client_find(f->fleet, CLIENT), first);
}

static void a_code_never_ends_a_later_revocation(void **state)
{
	struct fixture *f = *state;
	struct fleet_client *c = fleet_client(f->fleet, CLIENT);
	struct store_code code;

	put_code(f, &code, CLIENT, "edge-01", clock_wall_ms());
	assert_int_equal(SETTLED(f->store, fleet_client_revoke(f->fleet, c, on_client, &o)), 0);
	assert_int_equal(SETTLED(f->store, fleet_client_redeem(f->fleet, "edge-01", &code, "hash-2",
							       on_client, &o)),
			 -ENOENT);
	/* Nor when it is there again, by a restored store. */
	put_code(f, &code, CLIENT, "edge-01", c->revoked_ms);
	assert_int_equal(SETTLED(f->store, fleet_client_redeem(f->fleet, "edge-01", &code, "hash-2",
							       on_client, &o)),
			 -ENOENT);
	assert_true(c->revoked_ms > 0);
	put_code(f, &code, CLIENT, "edge-01", c->revoked_ms + 1);
	assert_int_equal(SETTLED(f->store, fleet_client_redeem(f->fleet, "edge-01", &code, "hash-2",
							       on_client, &o)),
			 0);
	assert_int_equal(c->revoked_ms, 0);
}

static void a_push_takes_an_id_for_a_name(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	active(f, "{\"client\":\"" CLIENT "\",\"listen_port\":80,\"target_host\":\"a\","
		  "\"target_port\":1}");
	assert_string_equal(fleet_rule(f->fleet, 1)->rule->client, "edge-01");
}

static void ids_that_an_edge_knows_are_not_given(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	say_status(f, "", 7, FLEET_REFUSED, "x");
	assert_string_equal(push(f, SINGLE(81)), "");
	assert_non_null(fleet_rule(f->fleet, 8));
	report(f, 0, 1, 20, 1);
	assert_string_equal(push(f, SINGLE(82)), "");
	assert_non_null(fleet_rule(f->fleet, 21));
	/* Nobody uses up all there are. */
	report(f, 0, 1, UINT64_MAX / 2, 1);
	assert_string_equal(push(f, SINGLE(83)), "");
	assert_non_null(fleet_rule(f->fleet, 22));
}

static void see_event(void *arg, const struct store_event *e)
{
	struct fixture *f = arg;
	char text[800];

	/* Newest first; the text has the oldest first. */
	snprintf(text, sizeof(text), "%s%s%s;%s", e->kind, e->target ? " " : "",
		 e->target ? e->target : "", f->history);
	snprintf(f->history, sizeof(f->history), "%.399s", text);
}

static const char *history(struct fixture *f)
{
	f->history[0] = '\0';
	history_flush(f->fleet->history, NULL, NULL);
	store_settle(f->store);
	assert_int_equal(store_events(f->store, &(struct store_event_query){.limit = 50}, see_event,
				      f),
			 0);
	return f->history;
}

/* Of two targets, by their places; only the first may have failed. */
static void report_rows(struct fixture *f, const uint32_t index[2], bool failed)
{
	struct rule_figures *fig = calloc(1, sizeof(*fig) + 2 * sizeof(fig->targets[0]));
	const struct rule_figures *const list[] = {fig};

	fig->rule_id = 1;
	fig->n_targets = 2;
	fig->targets[0].failed = failed;
	fig->targets[0].health_since_ms = f->began_ms + (failed ? 0 : 1);
	fig->targets[0].index = index[0];
	fig->targets[1].index = index[1];
	fleet_session_report(f->session, 0, 7, list, 1);
	free(fig);
}

static void report_health(struct fixture *f, bool failed)
{
	report_rows(f, (const uint32_t[]){0, 1}, failed);
}

#define TRIPLE(port)                                                                             \
	"{\"client\":\"edge-01\",\"listen_port\":" #port                                         \
	",\"targets\":[{\"host\":\"c.example\",\"port\":3},{\"host\":\"a.example\",\"port\":1}," \
	"{\"host\":\"d.example\",\"port\":4}]}"

static void figures_stay_with_their_targets(void **state)
{
	struct fixture *f = *state;
	const struct rule_figures *fig;

	connect_as(f, "0.7.0", true);
	active(f, DOUBLE(80));
	report_health(f, true);
	assert_int_equal(fleet_rule(f->fleet, 1)->figures->n_targets, 2);
	/* a.example, which has failed, is the second now; b.example is gone, and of the others nothing is known. */
	assert_string_equal(update(f, TRIPLE(80)), "");
	say_status(f, f->request_id, 1, FLEET_ACTIVATED, "");
	assert_string_equal(f->answer, "ok");
	fig = fleet_rule(f->fleet, 1)->figures;
	assert_int_equal(fig->n_targets, 1);
	assert_int_equal(fig->targets[0].index, 1);
	assert_true(fig->targets[0].failed);
	assert_string_equal(update(f, SINGLE(80)), "");
	say_status(f, f->request_id, 1, FLEET_ACTIVATED, "");
	assert_int_equal(fleet_rule(f->fleet, 1)->figures->n_targets, 0);
	/* What is said of more targets than there are is about others. */
	report_health(f, true);
	assert_int_equal(fleet_rule(f->fleet, 1)->figures->n_targets, 1);
	report_rows(f, (const uint32_t[]){0, 0}, true);
	assert_int_equal(fleet_rule(f->fleet, 1)->figures->n_targets, 1);
}

#define RANGE(first, last)                                                              \
	"{\"client\":\"edge-01\",\"listen_port\":" #first ",\"listen_port_end\":" #last \
	",\"target_host\":\"a.example\",\"target_port\":" #first ",\"target_port_end\":" #last "}"

static void figures_of_ports_go_with_a_ranges_ends(void **state)
{
	const struct port_figures ports[] = {{.port = 80, .bytes_in = 1}, {.port = 82}};
	const struct rule_figures fig = {.rule_id = 1, .ports = ports, .n_ports = 2};
	const struct rule_figures *const list[] = {&fig};
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	active(f, RANGE(80, 82));
	fleet_session_report(f->session, 0, 7, list, 1);
	assert_int_equal(fleet_rule(f->fleet, 1)->n_ports, 2);
	assert_string_equal(update(f, RANGE(80, 81)), "");
	say_status(f, f->request_id, 1, FLEET_ACTIVATED, "");
	assert_int_equal(fleet_rule(f->fleet, 1)->n_ports, 0);
}

#define OTHER_HOST(port)                                 \
	"{\"client\":\"edge-01\",\"listen_port\":" #port \
	",\"targets\":[{\"host\":\"c.example\",\"port\":1},{\"host\":\"b.example\",\"port\":2}]}"

/* After a start a first report repeats what is known of a target, not of what was in its row before. */
static void another_target_that_fails_is_news(void **state)
{
	struct fixture *f = *state;

	f->began_ms = clock_wall_ms() - 5000;
	connect_as(f, "0.7.0", true);
	active(f, DOUBLE(80));
	report_health(f, true);
	assert_string_equal(update(f, OTHER_HOST(80)), "");
	say_status(f, f->request_id, 1, FLEET_ACTIVATED, "");
	stop(f);
	start(f);
	connect_as(f, "0.7.0", true);
	report_health(f, true);
	assert_non_null(strstr(history(f), "target.failed a.example:1;"));
	assert_non_null(strstr(history(f), "target.failed c.example:1;"));
}

#define UNTIL_FAILED "client.connected;rule.created;rule.active;target.failed a.example:1;"

static void what_happened_outlives_the_server(void **state)
{
	struct fixture *f = *state;

	f->began_ms = clock_wall_ms() - 5000;
	connect_as(f, "0.7.0", true);
	active(f, DOUBLE(80));
	report_health(f, true);
	assert_string_equal(history(f), UNTIL_FAILED);
	stop(f);
	start(f);
	/* The timeline begins with what is known, and a first report is no news. */
	assert_non_null(changes_newest(fleet_changes(f->fleet), 0));
	assert_true(changes_newest(fleet_changes(f->fleet), 0)->failed);
	connect_as(f, "0.7.0", true);
	report_health(f, true);
	assert_null(changes_newest(fleet_changes(f->fleet), 1));
	report_health(f, false);
	assert_int_equal(SETTLED(f->store,
				 fleet_remove(f->fleet, fleet_rule(f->fleet, 1), on_outcome, &o)),
			 0);
	assert_string_equal(history(f), UNTIL_FAILED "client.disconnected;client.connected;"
						     "target.recovered a.example:1;rule.removed;");
}

/* A call on the store makes and frees a history with nothing in it, and only reads. */
static void only_the_timer_prunes_the_history(void **state)
{
	struct fixture *f = *state;
	struct history *h = history_new(f->base, f->store);

	assert_int_equal(STORED(f->store,
				store_event_add(tx, &(struct store_event){.kind = "old"})),
			 0);
	history_flush(h, NULL, NULL);
	history_free(h);
	assert_string_equal(history(f), "old;");
	h = history_new(f->base, f->store);
	history_add(h, &(struct store_event){.kind = "new"});
	history_flush(h, NULL, NULL);
	store_settle(f->store);
	history_add(h, &(struct store_event){.kind = "newer"});
	assert_string_equal(history(f), "old;new;");
	loop_ms(f, 700);
	assert_string_equal(history(f), "new;newer;");
	history_free(h);
}

static void *unlock_soon(void *db)
{
	usleep(300 * 1000);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return NULL;
}

static void a_history_waits_for_a_lock_at_its_end(void **state)
{
	struct fixture *f = *state;
	struct history *h = history_new(f->base, f->store);
	pthread_t other;
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/state.db", f->data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	history_add(h, &(struct store_event){.kind = "last"});
	assert_int_equal(pthread_create(&other, NULL, unlock_soon, db), 0);
	history_free(h);
	pthread_join(other, NULL);
	sqlite3_close(db);
	assert_string_equal(history(f), "last;");
}

static void an_answer_to_no_update_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct renewal *r =
		renewal_new(f->fleet, &(struct renewal_config){.data_dir = f->data,
							       .cert_path = "/nonexistent/cert.pem",
							       .key_path = "/nonexistent/key.pem"});
	char *pins = NULL;

	assert_non_null(r);
	connect_as(f, "0.7.0", true);
	fleet_session_credential(f->session, 0, "");
	assert_int_equal(store_setting_get(f->store, STORE_BUNDLE_PINS CLIENT, &pins), -ENOENT);
	renewal_free(r);
}

static int link_credential(void *link, uint64_t serial, const struct outbox_credential *c)
{
	struct fixture *f = link;

	f->credential_serial = serial;
	return 0;
}

static int switched(void *arg)
{
	return *(int *)arg;
}

static void announced(void *arg, const struct fleet_error *err)
{
	assert_null(err);
}

static int count_statement(unsigned what, void *arg, void *statement, void *sql)
{
	++*(int *)arg;
	return 0;
}

static struct renewal *renewal_of(struct fixture *f)
{
	char why[TLS_ERROR_SIZE];

	snprintf(f->cert, sizeof(f->cert), "%s/server.crt", f->dir);
	snprintf(f->key, sizeof(f->key), "%s/server.key", f->dir);
	assert_int_equal(certificate_ensure(f->dir, f->cert, f->key, NULL, why, sizeof(why)), 0);
	return renewal_new(f->fleet, &(struct renewal_config){.data_dir = f->dir,
							      .cert_path = f->cert,
							      .key_path = f->key,
							      .switched = switched,
							      .arg = &f->switch_error});
}

/* With a certificate that is announced. */
static struct renewal *renewing(struct fixture *f)
{
	struct renewal *r = renewal_of(f);
	struct fleet_error err;

	assert_int_equal(renewal_certificate(r, announced, NULL, &err), 0);
	store_settle(f->store);
	assert_true(renewal_under_way(r));
	return r;
}

/* An acknowledgement that meets many edges which have not said theirs reads nothing of theirs. */
static void an_acknowledgement_asks_the_store_nothing(void **state)
{
	static const struct fleet_link_ops with_credential = {.push = link_push,
							      .credential = link_credential,
							      .close = link_close};
	struct fixture *f = *state;
	char *pins = NULL;
	struct renewal *r;
	int reads = 0;

	put_client(f, OTHER, "edge-02", "hash-2");
	stop(f);
	start(f);
	r = renewing(f);
	f->session = fleet_session_begin(f->fleet, fleet_client(f->fleet, CLIENT), &with_credential,
					 f, "192.0.2.1:5");
	fleet_session_hello(f->session,
			    &(struct fleet_hello){.capabilities =
							  (const char *[]){CAPABILITY_CREDENTIAL},
						  .n_capabilities = 1});
	assert_int_not_equal(f->credential_serial, 0);
	assert_int_equal(renewal_waiting(r, NULL, NULL), 2);
	sqlite3_trace_v2(f->store->read.handle, SQLITE_TRACE_STMT, count_statement, &reads);
	fleet_session_credential(f->session, f->credential_serial, "");
	store_settle(f->store);
	sqlite3_trace_v2(f->store->read.handle, 0, NULL, NULL);
	assert_int_equal(reads, 0);
	assert_int_equal(renewal_waiting(r, NULL, NULL), 1);
	/* It is on the disk, and a start finds it there. */
	assert_int_equal(store_setting_get(f->store, STORE_BUNDLE_PINS CLIENT, &pins), 0);
	free(pins);
	renewal_free(r);
	stop(f);
	start(f);
	r = renewal_of(f);
	assert_int_equal(renewal_waiting(r, NULL, NULL), 1);
	renewal_free(r);
}

static void it_is_over_when_the_new_one_is_served(void **state)
{
	struct fixture *f = *state;
	struct fleet_client *c = fleet_client(f->fleet, CLIENT);
	struct renewal *r = renewing(f);

	assert_int_equal(SETTLED(f->store, fleet_client_revoke(f->fleet, c, on_client, &o)), 0);
	/* The files are the new pair's, and the old one is still served. */
	f->switch_error = -EIO;
	renewal_sweep(r);
	assert_true(renewal_under_way(r));
	f->switch_error = 0;
	renewal_sweep(r);
	assert_false(renewal_under_way(r));
	renewal_free(r);
}

static void a_lock_of_another_process_does_not_stop_the_loop(void **state)
{
	struct fixture *f = *state;
	uint64_t began;
	char path[128];
	sqlite3 *db;

	connect_as(f, "0.7.0", true);
	active(f, SINGLE(80));
	snprintf(path, sizeof(path), "%s/state.db", f->data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	say_status(f, "", 1, FLEET_REFUSED, "bind_failed");
	began = clock_mono_ns();
	loop_ms(f, 200);
	/* Whoever waits for the lock waits 5 s. */
	assert_true(clock_mono_ns() - began < 4 * NS_PER_SEC);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(db);
	stop(f);
	start(f);
	assert_int_equal(fleet_rule(f->fleet, 1)->state, FLEET_FAILED);
}

static void foreign_text_is_cut_at_characters(void **state)
{
	struct fixture *f = *state;
	char reason[300] = "a";
	const struct fleet_rule *r;

	/* The reason's room of 127 bytes ends inside a character. */
	for (int i = 0; i < 90; i++)
		strcat(reason, "\xe8\x8a\x82");
	connect_as(f, "0.7.0", true);
	assert_string_equal(push(f, SINGLE(80)), "");
	say_status(f, f->request_id, 1, FLEET_REFUSED, reason);
	assert_string_equal(f->answer, "activation_failed");
	assert_true(utf8_valid(f->message, strlen(f->message)));
	r = fleet_rule(f->fleet, 1);
	assert_true(utf8_valid(r->reason, strlen(r->reason)));
	say_status(f, "", 1, FLEET_REFUSED, reason + 1);
	assert_true(utf8_valid(r->reason, strlen(r->reason)));
	stop(f);
	start(f);
	r = fleet_rule(f->fleet, 1);
	assert_true(utf8_valid(r->reason, strlen(r->reason)));
	/* What a version that cut by bytes has stored. */
	assert_int_equal(STORED(f->store, store_rule_set_state(tx, 1, FLEET_FAILED, "caf\xc3", 1)),
			 0);
	stop(f);
	start(f);
	assert_string_equal(fleet_rule(f->fleet, 1)->reason, "caf?");
}

static void a_refusal_says_what_became_of_the_rule(void **state)
{
	struct fixture *f = *state;

	connect_as(f, "0.7.0", true);
	assert_string_equal(push(f, SINGLE(80)), "");
	say_status(f, f->request_id, 1, FLEET_REFUSED, "bind_failed");
	assert_non_null(strstr(f->message, "rule 1 is kept as failed"));
	assert_int_equal(f->answered_rule_id, 1);
	assert_string_equal(push(f, SINGLE(80)), "port_in_use");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_push_needs_a_live_session),
		TEST(an_ack_makes_it_active_for_good),
		TEST(a_refusal_is_kept_with_its_reason),
		TEST(a_refusal_without_request_id_answers_its_push),
		TEST(a_late_ack_still_counts),
		TEST(a_lost_session_ends_the_wait),
		TEST(replay_covers_every_state_in_order),
		TEST(a_full_link_keeps_the_order),
		TEST(a_second_session_supersedes_the_first),
		TEST(revocation_drops_the_session),
		TEST(a_rename_keeps_the_session),
		TEST(an_update_replaces_targets_or_nothing),
		TEST(an_update_is_in_force_when_the_edge_says_so),
		TEST(a_late_refusal_leaves_the_rule_as_it_was),
		TEST(a_refused_update_in_doubt_is_settled),
		TEST(a_long_wait_gives_way_to_a_newer_change),
		TEST(a_replay_never_speaks_after_an_update),
		TEST(an_update_waits_for_an_edge_that_knows_it),
		TEST(an_update_is_refused_by_the_edge_that_came),
		TEST(a_doubt_is_not_settled_past_the_gate),
		TEST(figures_stay_with_their_targets),
		TEST(figures_of_ports_go_with_a_ranges_ends),
		TEST(another_target_that_fails_is_news),
		TEST(an_acknowledgement_asks_the_store_nothing),
		TEST(it_is_over_when_the_new_one_is_served),
		TEST(names_are_unique_among_those_not_revoked),
		TEST(a_code_never_ends_a_later_revocation),
		TEST(a_push_takes_an_id_for_a_name),
		TEST(ids_that_an_edge_knows_are_not_given),
		TEST(what_happened_outlives_the_server),
		TEST(only_the_timer_prunes_the_history),
		TEST(a_history_waits_for_a_lock_at_its_end),
		TEST(an_answer_to_no_update_changes_nothing),
		TEST(a_lock_of_another_process_does_not_stop_the_loop),
		TEST(foreign_text_is_cut_at_characters),
		TEST(a_refusal_says_what_became_of_the_rule),
		TEST(counters_go_on_over_restarts),
		TEST(an_old_edge_starts_anew_with_each_session),
		TEST(a_late_report_revives_nothing),
		TEST(an_answer_is_never_older_than_the_question),
		TEST(an_unanswered_question_times_out),
		TEST(watchers_hear_of_reports_and_the_end),
		TEST(a_redeemed_code_rotates_the_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
