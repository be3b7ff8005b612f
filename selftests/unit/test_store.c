// SPDX-License-Identifier: MIT
/* The store: durable, exclusive, all or nothing, and clear about what is wrong with a directory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "server/store_db.h"

#define CLIENT "01J9ZK8M3Q6S7T8V9W0X1Y2Z3A"

struct fixture {
	char dir[64], data[80], why[256];
	struct store *s;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	/* Not /tmp: that may be a tmpfs, which the store refuses. */
	snprintf(f->dir, sizeof(f->dir), "/var/tmp/portunus-store.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->data, sizeof(f->data), "%s/a/b", f->dir);
	assert_int_equal(store_open(f->data, &f->s, f->why, sizeof(f->why)), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	store_close(f->s);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void reopen(struct fixture *f)
{
	store_close(f->s);
	f->s = NULL;
	assert_int_equal(store_open(f->data, &f->s, f->why, sizeof(f->why)), 0);
}

static void put_client(struct fixture *f)
{
	const struct store_client c = {.id = CLIENT,
				       .name = "edge-01",
				       .token_hash = "h1",
				       .provisioned_ms = 7};

	assert_int_equal(store_client_put(f->s, &c), 0);
}

static uint64_t put_rule(struct fixture *f)
{
	const struct store_rule r = {.client_id = CLIENT,
				     .owner = "ops",
				     .spec = "{}",
				     .state = 0,
				     .created_ms = 1,
				     .changed_ms = 2};
	uint64_t id = 0;

	assert_int_equal(store_rule_insert(f->s, &r, &id), 0);
	return id;
}

static void count_rule(void *arg, const struct store_rule *r)
{
	++*(int *)arg;
}

static int rules(struct fixture *f)
{
	int n = 0;

	assert_int_equal(store_rules(f->s, count_rule, &n), 0);
	return n;
}

static void modes_are_private(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct stat st;

	assert_int_equal(stat(f->data, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	snprintf(path, sizeof(path), "%s/state.db", f->data);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	put_client(f);
	snprintf(path, sizeof(path), "%s/state.db-wal", f->data);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void an_open_directory_is_closed_to_others(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(chmod(f->data, 0755), 0);
	reopen(f);
	assert_int_equal(stat(f->data, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void a_second_process_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *other = NULL;
	char line[64];

	assert_int_equal(store_set_holder(f->s, "127.0.0.1:7080\n"), 0);
	assert_int_equal(store_open(f->data, &other, f->why, sizeof(f->why)), -EBUSY);
	assert_non_null(strstr(f->why, "store_in_use"));
	assert_non_null(strstr(f->why, "--data-dir"));
	assert_int_equal(store_read_holder(f->data, line, sizeof(line)), 0);
	assert_string_equal(line, "127.0.0.1:7080");
	reopen(f);
	assert_int_equal(store_read_holder(f->data, line, sizeof(line)), -ENOENT);
}

static void a_memory_file_system_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *other = NULL;
	char path[64];
	struct stat st;

	if (stat("/dev/shm", &st) || access("/dev/shm", W_OK)) {
		print_message("skip a_memory_file_system_is_refused: no /dev/shm to write to\n");
		skip();
	}
	snprintf(path, sizeof(path), "/dev/shm/portunus-store.%d", getpid());
	assert_int_equal(store_open(path, &other, f->why, sizeof(f->why)), -EMEDIUMTYPE);
	assert_non_null(strstr(f->why, "startup.unsupported_filesystem"));
	rmdir(path);
}

static void a_newer_schema_is_left_alone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(db_exec(f->s, "PRAGMA user_version = 99"), 0);
	store_close(f->s);
	f->s = NULL;
	assert_int_equal(store_open(f->data, &f->s, f->why, sizeof(f->why)), -EPROTO);
	assert_non_null(strstr(f->why, "schema 99"));
	assert_null(f->s);
}

static void a_failed_migration_changes_nothing(void **state)
{
	struct fixture *f = *state;

	/* As an older program left it, with a table in the way of the first step's last one. */
	assert_int_equal(db_exec(f->s, "DROP TABLE settings; CREATE TABLE settings(x);"
				       "DROP TABLE clients; DROP TABLE counters; DROP TABLE rules;"
				       "PRAGMA user_version = 0"),
			 0);
	store_close(f->s);
	f->s = NULL;
	assert_true(store_open(f->data, &f->s, f->why, sizeof(f->why)) < 0);
	assert_null(f->s);
}

static void something_else_is_not_a_store(void **state)
{
	struct fixture *f = *state;
	char path[128];
	FILE *out;

	store_close(f->s);
	f->s = NULL;
	snprintf(path, sizeof(path), "%s/state.db", f->data);
	out = fopen(path, "w");
	for (int i = 0; i < 4096; i++)
		fputs("not a database. ", out);
	fclose(out);
	assert_int_equal(store_open(f->data, &f->s, f->why, sizeof(f->why)), -EUCLEAN);
	assert_non_null(strstr(f->why, "restore a backup"));
}

static void rule_ids_start_at_one_and_are_not_reused(void **state)
{
	struct fixture *f = *state;

	put_client(f);
	assert_int_equal(put_rule(f), 1);
	assert_int_equal(put_rule(f), 2);
	assert_int_equal(store_rule_delete(f->s, 2), 0);
	reopen(f);
	assert_int_equal(put_rule(f), 3);
	assert_int_equal(store_rule_delete(f->s, 2), -ENOENT);
}

static void get_counters(void *arg, const struct store_counters *c)
{
	*(struct store_counters *)arg = *c;
}

static void counters_live_and_die_with_their_rule(void **state)
{
	struct fixture *f = *state;
	struct store_counters c = {0}, got = {0};

	put_client(f);
	c.rule_id = put_rule(f);
	c.epoch = 0xfeedfacecafebeefull;
	for (int i = 0; i < STORE_COUNTERS; i++) {
		c.reported[i] = 10 + (uint64_t)i;
		c.exported[i] = 20 + (uint64_t)i;
	}
	assert_int_equal(store_counters_put(f->s, &c), 0);
	reopen(f);
	assert_int_equal(store_counters(f->s, get_counters, &got), 0);
	assert_memory_equal(&c, &got, sizeof(c));
	assert_int_equal(store_rule_delete(f->s, c.rule_id), 0);
	assert_int_equal(store_counters_put(f->s, &c), -ENOENT);
}

static void a_full_disk_stores_nothing(void **state)
{
	struct fixture *f = *state;
	char *big = malloc(1 << 20);
	uint64_t id = 0;
	struct store_rule r = {
		.client_id = CLIENT, .owner = "ops", .spec = big, .created_ms = 1, .changed_ms = 1};

	memset(big, 'x', (1 << 20) - 1);
	big[(1 << 20) - 1] = '\0';
	put_client(f);
	assert_int_equal(db_exec(f->s, "PRAGMA max_page_count = 64"), 0);
	assert_int_equal(store_rule_insert(f->s, &r, &id), -ENOSPC);
	assert_non_null(strstr(store_advice(-ENOSPC), "full"));
	assert_int_equal(rules(f), 0);
	assert_int_equal(db_exec(f->s, "PRAGMA max_page_count = 1000000"), 0);
	assert_int_equal(store_rule_insert(f->s, &r, &id), 0);
	assert_int_equal(rules(f), 1);
	free(big);
}

static void a_code_is_redeemed_once(void **state)
{
	struct fixture *f = *state;
	struct store_code code = {.client_id = CLIENT, .name = "edge-01"}, got;
	const struct store_client c = {.id = CLIENT,
				       .name = "edge-01",
				       .token_hash = "t1",
				       .provisioned_ms = 1};

	code.created_ms = clock_wall_ms();
	code.expires_ms = code.created_ms + 1000;
	assert_int_equal(store_code_add(f->s, "c1", &code), 0);
	assert_int_equal(store_code_get(f->s, "c1", &got), 0);
	assert_string_equal(got.client_id, CLIENT);
	assert_string_equal(got.name, "edge-01");
	assert_null(got.address);
	assert_int_equal(got.used_ms, 0);
	store_code_free(&got);
	assert_int_equal(store_code_redeem(f->s, "c1", &c), 0);
	assert_int_equal(store_code_redeem(f->s, "c1", &c), -ENOENT);
	assert_int_equal(store_code_get(f->s, "c1", &got), 0);
	assert_true(got.used_ms > 0);
	store_code_free(&got);
	assert_int_equal(store_code_get(f->s, "nope", &got), -ENOENT);
}

static void a_new_code_voids_the_earlier(void **state)
{
	struct fixture *f = *state;
	struct store_code code = {.client_id = CLIENT, .name = "edge-01"}, got;

	code.created_ms = clock_wall_ms();
	code.expires_ms = code.created_ms + 1000;
	assert_int_equal(store_code_add(f->s, "c1", &code), 0);
	assert_int_equal(store_code_add(f->s, "c2", &code), 0);
	assert_int_equal(store_code_get(f->s, "c1", &got), -ENOENT);
}

static void a_client_goes_with_its_rules(void **state)
{
	struct fixture *f = *state;

	put_client(f);
	put_rule(f);
	assert_int_equal(store_client_delete(f->s, CLIENT), 0);
	assert_int_equal(rules(f), 0);
	assert_int_equal(store_client_delete(f->s, CLIENT), -ENOENT);
}

static void last_seq(void *arg, const struct store_audit *a)
{
	*(uint64_t *)arg = a->seq;
}

static void audit_is_bounded_and_pages(void **state)
{
	struct fixture *f = *state;
	const uint64_t day = 86400ull * 1000, now = 1000 * day;
	uint64_t seq = 0;
	struct store_audit a = {.actor = "ops",
				.method = "POST",
				.path = "/v1/rules",
				.outcome = "allow"};

	assert_int_equal(store_begin(f->s), 0);
	for (int i = 0; i < STORE_AUDIT_ROWS + 5; i++) {
		a.at_ms = i < 3 ? now - 91 * day : now;
		assert_int_equal(store_audit_add(f->s, &a), 0);
	}
	assert_int_equal(store_commit(f->s), 0);
	assert_int_equal(store_audit_prune(f->s, now), 5);
	assert_int_equal(store_audit_list(f->s, &(struct store_audit_query){.limit = 10}, last_seq,
					  &seq),
			 0);
	assert_int_equal(seq, STORE_AUDIT_ROWS + 5 - 9);
	assert_int_equal(store_audit_list(f->s,
					  &(struct store_audit_query){.limit = 1, .before_seq = 8},
					  last_seq, &seq),
			 0);
	assert_int_equal(seq, 7);
	seq = 0;
	assert_int_equal(
		store_audit_list(f->s, &(struct store_audit_query){.limit = 1, .outcome = "deny"},
				 last_seq, &seq),
		0);
	assert_int_equal(seq, 0);
}

static void settings_keep_and_forget(void **state)
{
	struct fixture *f = *state;
	char *v = NULL;

	assert_int_equal(store_setting_get(f->s, "k", &v), -ENOENT);
	assert_int_equal(store_setting_put(f->s, "k", "v1"), 0);
	assert_int_equal(store_setting_put(f->s, "k", "v2"), 0);
	reopen(f);
	assert_int_equal(store_setting_get(f->s, "k", &v), 0);
	assert_string_equal(v, "v2");
	free(v);
	assert_int_equal(store_setting_put(f->s, "k", NULL), 0);
	assert_int_equal(store_setting_get(f->s, "k", &v), -ENOENT);
}

static void get_token(void *arg, const struct store_token *t)
{
	snprintf(arg, 64, "%s/%s/%s/%d", t->name, t->role, t->hash, (int)t->revoked_ms);
}

static void tokens_have_unique_secrets_and_known_roles(void **state)
{
	struct fixture *f = *state;
	struct store_token t = {.name = "ci", .role = "viewer", .hash = "h", .created_ms = 1};
	char text[64] = "";

	assert_int_equal(store_token_put(f->s, &t), 0);
	t.revoked_ms = 9;
	assert_int_equal(store_token_put(f->s, &t), 0);
	assert_int_equal(store_tokens(f->s, get_token, text), 0);
	assert_string_equal(text, "ci/viewer/h/9");
	t.name = "other";
	assert_int_equal(store_token_put(f->s, &t), -EEXIST);
	t.hash = "h2";
	t.role = "root";
	assert_int_equal(store_token_put(f->s, &t), -EEXIST);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(modes_are_private),
		TEST(an_open_directory_is_closed_to_others),
		TEST(a_second_process_is_refused),
		TEST(a_memory_file_system_is_refused),
		TEST(a_newer_schema_is_left_alone),
		TEST(a_failed_migration_changes_nothing),
		TEST(something_else_is_not_a_store),
		TEST(rule_ids_start_at_one_and_are_not_reused),
		TEST(counters_live_and_die_with_their_rule),
		TEST(a_full_disk_stores_nothing),
		TEST(a_code_is_redeemed_once),
		TEST(a_new_code_voids_the_earlier),
		TEST(a_client_goes_with_its_rules),
		TEST(audit_is_bounded_and_pages),
		TEST(settings_keep_and_forget),
		TEST(tokens_have_unique_secrets_and_known_roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
