// SPDX-License-Identifier: MIT
/* The saved rule set: what comes back is what was saved, or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/control/saved.h"
#include "lib/base/atomic_file.h"
#include "lib/rule/rule.h"

#define SCOPE "0123abcd/01J9ZK8M3Q6S7T8V9W0X1Y2Z3A"

static char dir[64], path[256];

static int set_up(void **state)
{
	strcpy(dir, "/tmp/portunus-saved-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/deep/rules.saved", dir);
	return 0;
}

static int tear_down(void **state)
{
	char deep[128];

	snprintf(deep, sizeof(deep), "%s/deep", dir);
	unlink(path);
	rmdir(deep);
	return rmdir(dir);
}

/* Id 0, rows against their priority, every option. */
static struct rule *sample(uint64_t id)
{
	struct rule *r = rule_new(2);

	r->id = id;
	r->fields = RULE_HAS_ID | RULE_HAS_PREFER_IPV6 | RULE_HAS_PROBE_INTERVAL |
		    RULE_HAS_CONNECT_TIMEOUT | RULE_HAS_HEDGE_DELAY | RULE_HAS_IDLE_TIMEOUT;
	r->listen_port = (uint16_t)(8000 + id);
	r->listen_address = strdup("127.0.0.1");
	r->owner = strdup("ops");
	r->prefer_ipv6 = true;
	r->probe_interval_secs = 5;
	r->connect_timeout_ms = 700;
	r->hedge_delay_ms = 0;
	r->idle_timeout_secs = 60;
	r->targets[0].host = strdup("b.example");
	r->targets[0].port = 80;
	r->targets[0].priority = 20;
	r->targets[1].host = strdup("[2001:db8::1]");
	r->targets[1].port = 81;
	r->targets[1].priority = 10;
	return r;
}

static void save(const struct rule *const *rules, size_t n)
{
	uint8_t *content;
	size_t len;

	struct saved_owner owners[] = {{.id = "ann", .limit = {.has = 1u << LIMIT_CONCURRENT}},
				       {.id = "bob"}};
	struct saved_set set = {.rules = (struct rule **)rules,
				.n = n,
				.owners = owners,
				.n_owners = n ? 2 : 0};

	owners[0].limit.value[LIMIT_CONCURRENT] = 7;
	assert_int_equal(saved_pack(SCOPE, &set, &content, &len), 0);
	assert_int_equal(saved_store(path, content, len), 0);
	free(content);
}

static void save_two(struct rule *rules[2])
{
	rules[0] = sample(0);
	rules[1] = sample(1);
	save((const struct rule *const *)rules, 2);
}

static void free_two(struct rule *rules[2])
{
	rule_free(rules[0]);
	rule_free(rules[1]);
}

static void test_there_and_back(void **state)
{
	struct rule *rules[2];
	struct saved_set back;
	struct stat st;

	save_two(rules);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(saved_read(path, SCOPE, &back), 0);
	assert_int_equal(back.n, 2);
	assert_int_equal(back.n_owners, 2);
	assert_string_equal(back.owners[0].id, "ann");
	assert_int_equal(back.owners[0].limit.value[LIMIT_CONCURRENT], 7);
	assert_int_equal(back.owners[1].limit.has, 0);
	for (size_t i = 0; i < back.n; i++) {
		assert_int_equal(back.rules[i]->id, i);
		assert_true(rule_equal(back.rules[i], rules[i]));
		assert_string_equal(back.rules[i]->owner, "ops");
		assert_string_equal(back.rules[i]->targets[0].host, "b.example");
	}
	saved_set_free(&back);
	free_two(rules);
}

static void test_empty_set(void **state)
{
	struct saved_set back;

	save(NULL, 0);
	assert_int_equal(saved_read(path, SCOPE, &back), 0);
	assert_int_equal(back.n + back.n_owners, 0);
	saved_set_free(&back);
}

static void test_other_scope(void **state)
{
	static const char *const others[] = {"", "0123abcd/01J", SCOPE "x", "file:"};
	struct rule *rules[2];
	struct saved_set back;

	save_two(rules);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(saved_read(path, others[i], &back), -ESTALE);
		assert_null(back.rules);
	}
	free_two(rules);
}

static void test_every_damage_is_seen(void **state)
{
	struct rule *rules[2];
	struct saved_set back;
	char *file;
	size_t len;

	save_two(rules);
	free_two(rules);
	assert_int_equal(file_read(path, 1 << 20, &file, &len), 0);
	for (size_t i = 0; i < len; i++) {
		file[i] ^= 0x20;
		assert_int_equal(file_write_atomic(path, file, len, 0600), 0);
		assert_int_equal(saved_read(path, SCOPE, &back), -EBADMSG);
		file[i] ^= 0x20;
	}
	for (size_t cut = 0; cut < len; cut += 7) {
		assert_int_equal(file_write_atomic(path, file, cut, 0600), 0);
		assert_int_equal(saved_read(path, SCOPE, &back), -EBADMSG);
	}
	free(file);
}

static void test_delete(void **state)
{
	struct rule *rules[2];
	struct saved_set back;

	assert_int_equal(saved_read(path, SCOPE, &back), -ENOENT);
	assert_int_equal(saved_delete(path), 0);
	save_two(rules);
	free_two(rules);
	assert_int_equal(saved_delete(path), 0);
	assert_int_equal(saved_read(path, SCOPE, &back), -ENOENT);
}

static void test_paths(void **state)
{
	char out[64], small[8];

	assert_int_equal(saved_path("/var/lib/x", "", out, sizeof(out)), 0);
	assert_string_equal(out, "/var/lib/x/rules.saved");
	assert_int_equal(saved_path("/var/lib/x", "b", out, sizeof(out)), 0);
	assert_string_equal(out, "/var/lib/x/rules-b.saved");
	assert_int_equal(saved_path("/var/lib/x", "b", small, sizeof(small)), -ENAMETOOLONG);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_there_and_back),	      T(test_empty_set), T(test_other_scope),
		T(test_every_damage_is_seen), T(test_delete),	 cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests_name("saved", tests, NULL, NULL);
}
