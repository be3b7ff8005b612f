// SPDX-License-Identifier: MIT
/* Slots, and what an earlier process left in them: each is in one place, whatever ends when. */
#include "selftests/unit/rig.h"

#include "edge/kernelrelay/share.h"
#include "edge/kernelrelay/takeover.h"

/* The kernel relay of a process with one loop for all its workers, without programs. */
struct bench {
	struct loop loop;
	struct conn_env env;
	struct kernel_relay relay;
	struct relay_share share[7];
};

static void open_bench(struct bench *b, unsigned n_workers)
{
	memset(b, 0, sizeof(*b));
	log_init("test", "off");
	assert_int_equal(loop_init(&b->loop), 0);
	b->loop.now_ns = clock_mono_ns();
	b->env.loop = &b->loop;
	b->relay.n_workers = n_workers;
	b->relay.targets_fd = -1;
	b->relay.programs = (struct relay_programs){.found = true,
						    .tuples_fd = -1,
						    .fold_fd = -1,
						    .hush_fd = -1};
	b->relay.programs.pairs = calloc(RELAY_PAIRS, sizeof(struct relay_pair));
	b->relay.held = calloc(RELAY_PAIRS, sizeof(struct relay_held));
	assert_true(b->relay.programs.pairs && b->relay.held);
	for (unsigned i = 0; i < n_workers; i++) {
		b->relay.shares[i] = &b->share[i];
		b->share[i].relay = &b->relay;
		b->share[i].env = &b->env;
		b->share[i].worker = i;
	}
}

static void close_bench(struct bench *b)
{
	for (unsigned i = 0; i < b->relay.n_workers; i++)
		relay_slots_close(&b->share[i].slots);
	free(b->relay.orphans);
	free(b->relay.held);
	free(b->relay.programs.pairs);
	loop_close(&b->loop);
}

static void begin(struct bench *b, unsigned worker)
{
	struct relay_share *s = &b->share[worker];

	assert_int_equal(relay_slots_init(&s->slots, relay_slots_first(&b->relay, worker),
					  relay_slots_end(&b->relay, worker)),
			 0);
	relay_takeover_slots(s);
	s->begun = true;
}

static void set_state(struct bench *b, uint32_t slot, enum relay_state state)
{
	b->relay.programs.pairs[slot].word = state;
}

static bool no_rule(void *arg, uint64_t rule_id, uint64_t target_hash, struct service **service,
		    struct target **target)
{
	return false;
}

/* What has no rule is reset at once. */
static void adopt(struct bench *b)
{
	const struct relay_finder finder = {.find = no_rule};

	usleep(1000);
	relay_takeover_adopt(&b->relay, &finder);
	rig_spin(&b->loop, 2);
}

/* Every slot of the worker comes out once, when all lingering and resting is over. */
static void assert_all_once(struct relay_share *s)
{
	uint64_t now = s->env->loop->now_ns + 2 * RELAY_LINGER_NS;
	uint32_t n = s->slots.end - s->slots.first;
	bool *seen = calloc(n, sizeof(*seen));
	int64_t slot;

	for (uint32_t i = 0; (slot = relay_slots_over(&s->slots, now)) >= 0; i++) {
		assert_true(i < n);
		relay_slots_rest(&s->slots, (uint32_t)slot, now);
	}
	relay_slots_over(&s->slots, now + RELAY_REST_NS);
	for (uint32_t i = 0; i < n; i++) {
		slot = relay_slots_get(&s->slots);
		assert_in_range(slot, s->slots.first, s->slots.end - 1);
		assert_false(seen[slot - s->slots.first]);
		seen[slot - s->slots.first] = true;
	}
	assert_int_equal(relay_slots_get(&s->slots), -ENOSPC);
	free(seen);
}

static void test_what_was_left(void **state)
{
	struct bench b;

	open_bench(&b, 1);
	set_state(&b, 3, RELAY_ENDED);
	set_state(&b, 4, RELAY_OBSERVED);
	set_state(&b, 5, RELAY_JOINED);
	assert_int_equal(relay_takeover_read(&b.relay), 0);
	assert_int_equal(b.relay.n_orphans, 1);
	begin(&b, 0);
	assert_true(relay_slots_known(&b.share[0].slots, 3));
	assert_true(relay_slots_known(&b.share[0].slots, 4));
	assert_false(relay_slots_known(&b.share[0].slots, 5));
	adopt(&b);
	assert_int_equal(b.relay.n_orphans, 0);
	assert_int_equal(RELAY_STATE(b.relay.programs.pairs[5].word), RELAY_FREE);
	assert_all_once(&b.share[0]);
	close_bench(&b);
}

/* It is joined when the maps are read, and has ended when its worker begins. */
static void test_an_end_before_the_worker_begins(void **state)
{
	struct bench b;

	open_bench(&b, 1);
	set_state(&b, 3, RELAY_JOINED);
	set_state(&b, 5, RELAY_JOINED);
	assert_int_equal(relay_takeover_read(&b.relay), 0);
	set_state(&b, 3, RELAY_ENDED);
	begin(&b, 0);
	adopt(&b);
	assert_int_equal(b.relay.n_orphans, 0);
	/* Its last packets are forwarded yet. */
	assert_int_equal(RELAY_STATE(b.relay.programs.pairs[3].word), RELAY_ENDED);
	assert_all_once(&b.share[0]);
	close_bench(&b);
}

/* A worker whose ring could not be made tries again, and so do those who wait for it. */
static void test_a_worker_that_begins_late(void **state)
{
	struct bench b;

	open_bench(&b, 2);
	set_state(&b, 3, RELAY_JOINED);
	set_state(&b, 40000, RELAY_JOINED);
	assert_int_equal(relay_takeover_read(&b.relay), 0);
	begin(&b, 1);
	adopt(&b);
	assert_int_equal(b.relay.n_orphans, 1);
	assert_int_equal(b.relay.orphans[0], 3);
	begin(&b, 0);
	adopt(&b);
	assert_int_equal(b.relay.n_orphans, 0);
	assert_all_once(&b.share[0]);
	assert_all_once(&b.share[1]);
	close_bench(&b);
}

/* 65536 is no multiple of 7: the last slots are the last worker's. */
static void test_every_slot_has_a_worker(void **state)
{
	struct bench b;

	open_bench(&b, 7);
	set_state(&b, 0, RELAY_JOINED);
	set_state(&b, RELAY_PAIRS / 7, RELAY_JOINED);
	set_state(&b, RELAY_PAIRS - 1, RELAY_JOINED);
	assert_int_equal(relay_takeover_read(&b.relay), 0);
	for (unsigned i = 0; i < 7; i++) {
		assert_int_equal(relay_slots_first(&b.relay, i),
				 i ? relay_slots_end(&b.relay, i - 1) : 0);
		begin(&b, i);
	}
	assert_int_equal(relay_slots_end(&b.relay, 6), RELAY_PAIRS);
	assert_ptr_equal(relay_share_of(&b.relay, RELAY_PAIRS / 7), &b.share[1]);
	adopt(&b);
	assert_int_equal(b.relay.n_orphans, 0);
	for (unsigned i = 0; i < 7; i++)
		assert_all_once(&b.share[i]);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_left),
		cmocka_unit_test(test_an_end_before_the_worker_begins),
		cmocka_unit_test(test_a_worker_that_begins_late),
		cmocka_unit_test(test_every_slot_has_a_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
