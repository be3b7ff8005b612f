// SPDX-License-Identifier: MIT
/* A rule's totals over targets that go and come back: with a stand-in for the account's records. */
#include <event2/event.h>

#include "edge/account/account.h"
#include "edge/rules/apply.h"
#include "edge/rules/table.h"
#include "edge/watch/report.h"
#include "edge/target/hops.h"
#include "edge/worker/worker.h"
#include "selftests/unit/rig.h"

/* The records by slot; one is there until it is made part of the sum or deleted. One rule only. */
struct account {
	struct {
		uint16_t port;
		bool there, held;
		uint64_t in, out;
	} record[16];
	uint64_t n;
	uint64_t removed; /* the sum's bytes in */
};

enum account_mode account_mode(const struct account *a)
{
	return ACCOUNT_BPF;
}

bool account_fast_syn(const struct account *a)
{
	return true;
}

int account_slot_get(struct account *a, const struct account_key *key, uint64_t *slot)
{
	for (uint64_t i = 1; i <= a->n; i++)
		if (a->record[i].there && !a->record[i].held && a->record[i].port == key->port) {
			a->record[i].held = true;
			*slot = i;
			return 0;
		}
	*slot = ++a->n;
	a->record[*slot].there = a->record[*slot].held = true;
	a->record[*slot].port = key->port;
	return 0;
}

void account_slot_put(struct account *a, uint64_t slot)
{
	assert_true(a->record[slot].held);
	a->record[slot].held = false;
}

void account_slots_drop(struct account *a, uint64_t rule_id)
{
	memset(a->record, 0, sizeof(a->record));
	a->removed = 0;
}

/* What the collector does once no socket carries it. */
static void quiet(struct account *a, uint64_t slot)
{
	assert_false(a->record[slot].held);
	a->removed += a->record[slot].in;
	a->record[slot].there = false;
}

void account_read_removed(struct account *a, uint64_t rule_id, struct account_record *out)
{
	memset(out, 0, sizeof(*out));
	out->bytes_in = a->removed;
	for (uint64_t i = 1; i <= a->n; i++)
		if (a->record[i].there && !a->record[i].held)
			out->bytes_in += a->record[i].in;
}

int account_read(struct account *a, uint64_t slot, struct account_record *out)
{
	/* Others are not this process's to read: they may go at any time. */
	assert_true(a->record[slot].held);
	memset(out, 0, sizeof(*out));
	out->bytes_in = a->record[slot].in;
	out->bytes_out = a->record[slot].out;
	return 0;
}

int account_tag_listener(struct account *a, int fd, uint64_t rule_id, uint64_t unassigned_slot,
			 uint64_t expected_slot)
{
	return 0;
}

void account_store_written(struct account *a, uint64_t slot, uint64_t bytes_in, uint64_t bytes_out)
{
}

int account_connect(struct account *a, unsigned worker, int fd, const struct sockaddr *sa,
		    socklen_t len, const struct account_tag *tag, bool *counted)
{
	*counted = true;
	return connect(fd, sa, len) ? -errno : 0;
}

int account_tag_client(struct account *a, int fd, uint64_t rule_id, uint64_t slot,
		       uint64_t inherited)
{
	return 0;
}

int account_tag_behind(struct account *a, int fd, uint64_t rule_id, uint64_t slot,
		       uint64_t inherited, unsigned header)
{
	return 0;
}

static void on_health(void *arg, struct rule_state *rs, struct target *t, enum health_state to)
{
}

static void on_rules(void *arg, struct rule_state *rs)
{
}

struct table {
	struct account account;
	struct event_base *base;
	struct worker worker;
	struct hops *hops;
	struct rule_table *e;
	uint16_t port;
};

static struct table *open_table(void)
{
	struct table *t = calloc(1, sizeof(*t));
	struct worker_config wc = {.account = &t->account, .sweep_period_ms = 15000};

	log_init("test", "off");
	wc.hops = t->hops = hops_new();
	close(rig_listen(&t->port, 1));
	t->base = event_base_new();
	assert_int_equal(worker_start(&t->worker, &wc), 0);
	t->e = rule_table_new(&(struct rule_table_config){.base = t->base,
							  .account = &t->account,
							  .workers = &t->worker,
							  .n_workers = 1,
							  .fd_limit = 1024,
							  .health_changed = on_health,
							  .rules_changed = on_rules});
	return t;
}

static void close_table(struct table *t)
{
	worker_stop(&t->worker);
	hops_free(t->hops);
	rule_table_free(t->e);
	event_base_free(t->base);
	free(t);
}

/* The rule has these two targets from now on. */
static struct rule_state *targets(struct table *t, uint16_t a, uint16_t b)
{
	struct rule *r = rig_rule(1, t->port, 2, (uint16_t[]){a, b});

	assert_int_equal(rule_table_apply(t->e, &r, 1), 0);
	rule_free(r);
	/* The worker drops its reference of the former version. */
	workers_barrier(&t->worker, 1);
	return rule_table_find(t->e, 1);
}

static void expect_total(struct table *t, uint64_t in)
{
	struct rule_report out;

	report_rule(&t->account, rule_table_find(t->e, 1), &out);
	assert_int_equal(out.bytes_in, in);
}

/* Bytes that a socket still delivers after its connection here are in the sum. */
static void test_late_bytes(void **state)
{
	struct table *t = open_table();
	struct rule_state *rs = targets(t, 11, 12);
	uint64_t slot = rs->service->target[0]->slot;

	t->account.record[slot].in = 100;
	expect_total(t, 100);
	targets(t, 12, 13);
	expect_total(t, 100);
	rule_table_housekeeping(t->e);
	assert_false(t->account.record[slot].held);
	t->account.record[slot].in = 150;
	expect_total(t, 150);
	assert_true(LIST_EMPTY(&rs->retired));
	/* No socket carries it: the sum stays. */
	quiet(&t->account, slot);
	expect_total(t, 150);
	rule_table_housekeeping(t->e);
	expect_total(t, 150);
	close_table(t);
}

/* Gone and back while the record is there: that is taken up again, and counted once. */
static void test_comes_back(void **state)
{
	struct table *t = open_table();
	struct rule_state *rs = targets(t, 11, 12);
	uint64_t slot = rs->service->target[0]->slot;

	t->account.record[slot].in = 100;
	targets(t, 12, 13);
	rule_table_housekeeping(t->e);
	targets(t, 11, 12);
	assert_int_equal(rs->service->target[0]->slot, slot);
	expect_total(t, 100);
	rule_table_housekeeping(t->e);
	assert_true(t->account.record[slot].held);
	expect_total(t, 100);
	/* Gone for longer: it begins at zero, and the sum has what it had. */
	targets(t, 12, 13);
	rule_table_housekeeping(t->e);
	quiet(&t->account, slot);
	targets(t, 11, 12);
	assert_int_not_equal(rs->service->target[0]->slot, slot);
	t->account.record[rs->service->target[0]->slot].in = 5;
	expect_total(t, 105);
	close_table(t);
}

/* Back before the slot was given back: another record, and both count. */
static void test_comes_back_at_once(void **state)
{
	struct table *t = open_table();
	struct rule_state *rs = targets(t, 11, 12);
	uint64_t slot = rs->service->target[0]->slot;

	t->account.record[slot].in = 100;
	targets(t, 12, 13);
	targets(t, 11, 12);
	assert_int_not_equal(rs->service->target[0]->slot, slot);
	t->account.record[rs->service->target[0]->slot].in = 7;
	expect_total(t, 107);
	rule_table_housekeeping(t->e);
	expect_total(t, 107);
	quiet(&t->account, slot);
	expect_total(t, 107);
	close_table(t);
}

/* Of a rule that is gone nothing is left for the next one with its id. */
static void test_rule_goes(void **state)
{
	struct table *t = open_table();
	struct rule_state *rs = targets(t, 11, 12);

	t->account.record[rs->service->target[0]->slot].in = 100;
	targets(t, 12, 13);
	rule_table_housekeeping(t->e);
	targets(t, 13, 14); /* one former target given back, one not yet */
	assert_int_equal(rule_table_remove(t->e, 1), 0);
	targets(t, 12, 13);
	expect_total(t, 0);
	close_table(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late_bytes),
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_comes_back_at_once),
		cmocka_unit_test(test_rule_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
