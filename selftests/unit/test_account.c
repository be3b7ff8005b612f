// SPDX-License-Identifier: MIT
/* The parts of accounting that need no kernel: identities, the table of records, the reasons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/capability.h>

#include "edge/account_internal.h"

static const struct account_key base = {
	.rule_id = 7, .listen_port = 8080, .port = 80, .host = "db.example", .index = 1};

static struct account_target identity(const char *scope, struct account_key key)
{
	struct account_target t;

	account_identity(&t, scope, &key);
	return t;
}

static void test_identity(void **state)
{
	struct account_target a = identity("file:", base), b;
	struct account_key k;

	assert_string_equal(a.scope, "file:");
	assert_string_equal(a.name, "db.example:80");
	assert_int_equal(a.rule_id, 7);
	assert_int_equal(a.listen_port, 8080);
	assert_int_equal(a.port, 80);
	assert_int_equal(a.index, 1);
	assert_int_equal(a.bytes_in, 0);

	/* The row may change, and the way a name is written. */
	k = base;
	k.index = 5;
	k.host = "DB.Example.";
	b = identity("file:", k);
	assert_true(account_identity_equal(&a, &b));
	assert_int_equal(account_identity_hash(&a), account_identity_hash(&b));
}

static void test_identity_differs(void **state)
{
	struct account_target a = identity("file:", base), b;
	struct account_key k[5] = {base, base, base, base, base};

	k[0].rule_id++;
	k[1].listen_port++;
	k[2].port++;
	k[3].host = "db2.example";
	k[4].host = NULL;
	for (int i = 0; i < 5; i++) {
		b = identity("file:", k[i]);
		assert_false(account_identity_equal(&a, &b));
		assert_int_not_equal(account_identity_hash(&a), account_identity_hash(&b));
	}
	b = identity("other", base);
	assert_false(account_identity_equal(&a, &b));
}

static void test_identity_unassigned(void **state)
{
	struct account_key k = base;
	struct account_target t;

	k.host = NULL;
	t = identity("file:", k);
	assert_string_equal(t.name, "(unassigned)");
	assert_int_equal(t.index, ACCOUNT_INDEX_NONE);
	assert_int_equal(t.port, 0);
}

/* Long texts are cut, but those that differ only behind the cut stay different. */
static void test_identity_long(void **state)
{
	char host[254], scope[120];
	struct account_key k = base;
	struct account_target a, b;

	memset(host, 'a', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	memset(scope, 's', sizeof(scope) - 1);
	scope[sizeof(scope) - 1] = '\0';
	k.host = host;
	a = identity(scope, k);
	assert_int_equal(strlen(a.name), ACCOUNT_NAME_LEN - 1);
	assert_int_equal(strlen(a.scope), ACCOUNT_SCOPE_LEN - 1);
	host[252] = 'b';
	b = identity(scope, k);
	assert_false(account_identity_equal(&a, &b));
	host[252] = 'a';
	scope[118] = 't';
	b = identity(scope, k);
	assert_false(account_identity_equal(&a, &b));
	assert_memory_equal(a.name, b.name, ACCOUNT_NAME_LEN);

	/* Exactly as long as there is room for. */
	host[ACCOUNT_NAME_LEN - 1 - 3] = '\0';
	a = identity("", k);
	assert_null(strchr(a.name, '~'));
	assert_int_equal(strlen(a.name), ACCOUNT_NAME_LEN - 1);
}

/* A rule's records have one thing in common, whatever its port, and no other rule has it. */
static void test_rule_hash(void **state)
{
	struct account_target a = identity("file:", base);

	assert_int_equal(account_rule_hash(a.scope, 7), account_rule_hash("file:", 7));
	assert_int_not_equal(account_rule_hash("file:", 7), account_rule_hash("file:", 8));
	assert_int_not_equal(account_rule_hash("file:", 7), account_rule_hash("other", 7));
}

static struct account_target some_figures(void)
{
	struct account_target t = identity("file:", base);

	t.bytes_in = 1;
	t.bytes_out = 2;
	t.received_in = 3;
	t.received_out = 4;
	t.attempted = 5;
	t.ok = 6;
	t.failed = 7;
	t.aborted = 8;
	t.active = 9;
	t.resets = 10;
	t.retransmits = 11;
	t.srtt_us = 12;
	t.connect_us = 13;
	t.connect_us_sum = 14;
	t.connect_us_max = 15;
	t.connect_hist[0] = 16;
	t.connect_hist[ACCOUNT_HIST_LEN - 1] = 17;
	t.last_errno = 18;
	return t;
}

static void test_sums(void **state)
{
	struct account_target t = some_figures(), sum = {.connect_us_max = 20};
	struct account_record r;

	account_target_add(&sum, &t);
	account_target_add(&sum, &t);
	account_record_of(&sum, &r);
	assert_int_equal(r.bytes_in, 2);
	assert_int_equal(r.bytes_out, 4);
	assert_int_equal(r.received_in, 6);
	assert_int_equal(r.received_out, 8);
	assert_int_equal(r.attempted, 10);
	assert_int_equal(r.ok, 12);
	assert_int_equal(r.failed, 14);
	assert_int_equal(r.aborted, 16);
	assert_int_equal(r.active, 18);
	assert_int_equal(r.resets, 20);
	assert_int_equal(r.retransmits, 22);
	assert_int_equal(r.connect_us_sum, 28);
	assert_int_equal(r.connect_us_max, 20);
	assert_int_equal(r.connect_hist[0], 32);
	assert_int_equal(r.connect_hist[ACCOUNT_HIST_LEN - 1], 34);
	/* Not sums. */
	assert_int_equal(r.srtt_us, 0);
	assert_int_equal(r.connect_us, 0);
	assert_int_equal(r.last_errno, 0);
}

/* Of two sums the one that was made of the other is told apart, by any figure. */
static void test_includes(void **state)
{
	struct account_target a = some_figures(), b = a;

	assert_true(account_target_includes(&a, &b));
	assert_true(account_target_includes(&b, &a));
	for (int i = 0; i < 4; i++) {
		__u64 *figures[] = {&b.bytes_in, &b.received_out, &b.resets,
				    &b.connect_hist[ACCOUNT_HIST_LEN - 1]};

		b = a;
		*figures[i] += 1;
		assert_true(account_target_includes(&b, &a));
		assert_false(account_target_includes(&a, &b));
	}
}

static int add(struct slot_table *s, uint64_t number, uint64_t rule, enum slot_state state)
{
	return slot_table_add(s, &(struct slot){.number = number,
						.rule = rule,
						.state = (uint8_t)state});
}

static void test_table(void **state)
{
	struct slot_table s = {0};
	struct slot *e;
	int seen = 0;

	assert_null(slot_table_find(&s, 1, NULL));
	for (uint64_t i = 1; i <= 5000; i++)
		assert_int_equal(add(&s, i, i % 2500 * 0x9e3779b97f4a7c15, SLOT_FOUND), 0);
	for (uint64_t i = 0; i < 2500; i++) {
		uint64_t rule = i * 0x9e3779b97f4a7c15;

		for (e = NULL, seen = 0; (e = slot_table_find(&s, rule, e)); seen++)
			assert_int_equal(e->number % 2500, i);
		assert_int_equal(seen, 2);
	}
	/* Removed entries are not found, and their places are used again. */
	for (uint64_t i = 0; i < 2500; i += 2)
		while ((e = slot_table_find(&s, i * 0x9e3779b97f4a7c15, NULL)))
			slot_table_remove(&s, e);
	for (uint64_t i = 0; i < 2500; i++)
		assert_int_equal(!slot_table_find(&s, i * 0x9e3779b97f4a7c15, NULL), i % 2 == 0);
	for (uint64_t i = 0; i < 2500; i++)
		assert_int_equal(add(&s, 9000 + i, i, SLOT_HELD), 0);
	assert_int_equal(s.n, 5000);
	e = slot_table_find(&s, 17, NULL);
	assert_int_equal(e->number, 9017);
	/* What the collector has to look at is counted. */
	assert_int_equal(s.leaving, 0);
	slot_table_set(&s, e, SLOT_RETIRED);
	slot_table_set(&s, slot_table_find(&s, 18, NULL), SLOT_RETIRED);
	assert_int_equal(s.leaving, 2);
	slot_table_set(&s, e, SLOT_DROPPED);
	assert_int_equal(s.leaving, 2);
	slot_table_set(&s, e, SLOT_REMOVED);
	assert_int_equal(s.leaving, 1);
	slot_table_remove(&s, slot_table_find(&s, 18, NULL));
	assert_int_equal(s.leaving, 0);
	slot_table_free(&s);
	assert_null(slot_table_find(&s, 17, NULL));
}

static const uint64_t all_caps = ~0ull, three = 1ull << CAP_NET_ADMIN | 1ull << 38 | 1ull << 39;

static void says(struct account_failure f, const char *text)
{
	char buf[384];

	f.path = f.path ? f.path : "/sys/fs/bpf";
	f.instance = f.instance ? f.instance : "";
	account_explain(&f, buf, sizeof(buf));
	if (!strstr(buf, text))
		fail_msg("\"%s\" is not in \"%s\"", text, buf);
	if (strchr(buf, '\n') || strlen(buf) >= sizeof(buf) - 1)
		fail_msg("not one short sentence: %s", buf);
}

static void test_reasons(void **state)
{
	struct account_failure f = {.stage = ACCOUNT_STAGE_LOAD, .error = EPERM, .has_btf = true};

	says(f, "give it CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN");
	f.capabilities = three & ~(1ull << 38);
	says(f, "give it CAP_PERFMON (");
	f.error = EINVAL; /* what the verifier answers then */
	says(f, "give it CAP_PERFMON (");
	f.capabilities = three;
	says(f, "Linux 5.10 or later");
	f.error = EPERM;
	says(f, "lockdown");
	says(f, "LimitMEMLOCK");
	f.capabilities = 1ull << CAP_SYS_ADMIN; /* stands for all three */
	says(f, "lockdown");
	f.capabilities = all_caps;
	f.error = ESRCH;
	says(f, "CONFIG_DEBUG_INFO_BTF");
	f.error = ENOSYS;
	says(f, "CONFIG_BPF_SYSCALL");
	f.error = ENOMEM;
	says(f, "memory limit");

	f.stage = ACCOUNT_STAGE_BPFFS;
	f.error = EINVAL;
	says(f, "mount -t bpf bpf /sys/fs/bpf");
	f.error = EACCES;
	says(f, "cannot be written");
	f.stage = ACCOUNT_STAGE_CGROUP;
	f.error = ENOENT;
	says(f, "mount -t cgroup2");
	f.stage = ACCOUNT_STAGE_LAYOUT;
	says(f, "portunus-client unpin,");
	f.instance = "blue";
	says(f, "portunus-client unpin --instance blue,");
	f.stage = ACCOUNT_STAGE_PINS;
	says(f, "portunus-client unpin --instance blue");
	f.capabilities = three & ~(1ull << 39);
	f.error = EPERM;
	says(f, "give it CAP_BPF (");
	f.capabilities = all_caps;
	f.stage = ACCOUNT_STAGE_INSTANCE;
	says(f, "\"blue\" cannot name an instance");
	f.stage = ACCOUNT_STAGE_ASKED;
	says(f, "switched off by the operator");
	f.stage = ACCOUNT_STAGE_BASIC;
	says(f, "last round-trip sample");
	f.stage = ACCOUNT_STAGE_ATTACH;
	f.error = E2BIG;
	says(f, "bpftool cgroup tree");
	f.error = EPERM;
	says(f, "bpftool cgroup tree"); /* so it says when another program does not share */
	f.capabilities = three & ~(1ull << CAP_NET_ADMIN);
	says(f, "give it CAP_NET_ADMIN");
}

/* In user mode every call is a harmless no-op. */
static void test_user_mode(void **state)
{
	static const struct account_config config = {.disable = true};
	static const struct account_config bad = {.instance = "a/b"};
	struct account *a = account_open(&bad);
	struct account_record r;
	uint64_t slot = 5;

	assert_non_null(strstr(account_reason(a), "cannot name an instance"));
	account_close(a);
	a = account_open(&config);
	assert_int_equal(account_mode(a), ACCOUNT_USER);
	assert_false(account_fast_syn(a));
	assert_int_equal(account_slot_get(a, &base, &slot), 0);
	assert_int_equal(slot, 0);
	assert_int_equal(account_tag_listener(a, -1, 1, 2, 3), 0);
	assert_int_equal(account_tag_upstream(a, -1, 1, 2), 0);
	assert_int_equal(account_tag_client(a, -1, 1, 2), 0);
	assert_int_equal(account_refresh(a, UINT64_MAX), 0);
	assert_int_equal(account_read(a, 1, &r), -ENOENT);
	assert_int_equal(account_event_fd(a), -1);
	account_poll(a);
	account_slot_put(a, 1);
	account_slots_drop(a, 1);
	account_slots_settled(a);
	r.bytes_in = 1;
	account_read_removed(a, 1, &r);
	assert_int_equal(r.bytes_in, 0);
	account_close(a);
}

static void test_pin_dir(void **state)
{
	char buf[64];

	assert_int_equal(account_pin_dir(buf, sizeof(buf), "/sys/fs/bpf", 1, ""), 0);
	assert_string_equal(buf, "/sys/fs/bpf/portunus/v1");
	assert_int_equal(account_pin_dir(buf, sizeof(buf), "/sys/fs/bpf", 2, "blue"), 0);
	assert_string_equal(buf, "/sys/fs/bpf/portunus/v2-blue");
	assert_int_equal(account_pin_dir(buf, 10, "/sys/fs/bpf", 1, ""), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_identity_differs),
		cmocka_unit_test(test_identity_unassigned),
		cmocka_unit_test(test_identity_long),
		cmocka_unit_test(test_rule_hash),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_includes),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_user_mode),
		cmocka_unit_test(test_pin_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
