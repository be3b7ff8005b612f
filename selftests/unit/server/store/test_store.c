// SPDX-License-Identifier: MIT
/* The store: durable, exclusive, all or nothing, and clear about what is wrong with a directory. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "lib/base/clock.h"
#include "server/store/inner.h"
#include "selftests/unit/server/store/schema1.h"
#include "selftests/unit/server/store/stored.h"

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

	assert_int_equal(STORED(f->s, store_client_put(tx, &c)), 0);
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

	assert_int_equal(STORED(f->s, store_rule_insert(tx, &r, &id)), 0);
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

	assert_int_equal(db_exec(&f->s->place.db, "PRAGMA user_version = 99"), 0);
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
	assert_int_equal(db_exec(&f->s->place.db,
				 "DROP TABLE settings; CREATE TABLE settings(x);"
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
	assert_int_equal(STORED(f->s, store_rule_delete(tx, 2)), 0);
	reopen(f);
	assert_int_equal(put_rule(f), 3);
	assert_int_equal(STORED(f->s, store_rule_delete(tx, 2)), -ENOENT);
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
	assert_int_equal(STORED(f->s, store_counters_put(tx, &c)), 0);
	reopen(f);
	assert_int_equal(store_counters(f->s, get_counters, &got), 0);
	assert_memory_equal(&c, &got, sizeof(c));
	assert_int_equal(STORED(f->s, store_rule_delete(tx, c.rule_id)), 0);
	/* A report that comes late does not bring it back. */
	assert_int_equal(STORED(f->s, store_counters_put(tx, &c)), 0);
	got.rule_id = 0;
	assert_int_equal(store_counters(f->s, get_counters, &got), 0);
	assert_int_equal(got.rule_id, 0);
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
	assert_int_equal(db_exec(&f->s->place.db, "PRAGMA max_page_count = 64"), 0);
	assert_int_equal(STORED(f->s, store_rule_insert(tx, &r, &id)), -ENOSPC);
	assert_non_null(strstr(store_advice(-ENOSPC), "full"));
	assert_int_equal(rules(f), 0);
	assert_int_equal(db_exec(&f->s->place.db, "PRAGMA max_page_count = 1000000"), 0);
	assert_int_equal(STORED(f->s, store_rule_insert(tx, &r, &id)), 0);
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
	assert_int_equal(STORED(f->s, store_code_add(tx, "c1", &code)), 0);
	assert_int_equal(store_code_get(f->s, "c1", &got), 0);
	assert_string_equal(got.client_id, CLIENT);
	assert_string_equal(got.name, "edge-01");
	assert_null(got.address);
	assert_int_equal(got.used_ms, 0);
	store_code_free(&got);
	assert_int_equal(STORED(f->s, store_code_redeem(tx, "c1", &c)), 0);
	assert_int_equal(STORED(f->s, store_code_redeem(tx, "c1", &c)), -ENOENT);
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
	assert_int_equal(STORED(f->s, store_code_add(tx, "c1", &code)), 0);
	assert_int_equal(STORED(f->s, store_code_add(tx, "c2", &code)), 0);
	assert_int_equal(store_code_get(f->s, "c1", &got), -ENOENT);
}

static void a_client_goes_with_its_rules(void **state)
{
	struct fixture *f = *state;

	put_client(f);
	put_rule(f);
	assert_int_equal(STORED(f->s, store_client_delete(tx, CLIENT)), 0);
	assert_int_equal(rules(f), 0);
	assert_int_equal(STORED(f->s, store_client_delete(tx, CLIENT)), -ENOENT);
}

static void last_seq(void *arg, const struct store_audit *a)
{
	*(uint64_t *)arg = a->seq;
}

static void add_rows(struct fixture *f, struct store_audit *a, int n)
{
	struct store_tx *tx = store_begin(f->s);

	for (int i = 0; i < n; i++)
		store_audit_add(tx, a, NULL);
	assert_int_equal(store_commit_wait(tx), 0);
}

static int count_of(struct fixture *f, const char *sql)
{
	int err = 0, n;
	sqlite3_stmt *q = db_query(&f->s->read, &err, sql, "");

	assert_int_equal(db_step(&f->s->read, q), 1);
	n = sqlite3_column_int(q, 0);
	db_done(q);
	return n;
}

static void audit_is_bounded_and_pages(void **state)
{
	struct fixture *f = *state;
	const uint64_t day = 86400ull * 1000, now = 1000 * day;
	uint64_t seq = 0;
	struct store_audit a = {.actor = "ops",
				.method = "POST",
				.path = "/v1/rules",
				.outcome = "allow",
				.at_ms = now - 91 * day};

	add_rows(f, &a, 3);
	a.at_ms = now;
	add_rows(f, &a, 10);
	assert_int_equal(STORED(f->s, store_audit_prune(tx, now)), 0);
	assert_int_equal(count_of(f, "SELECT COUNT(*) FROM audit"), 10);
	assert_int_equal(store_audit_list(f->s, &(struct store_audit_query){.limit = 10}, last_seq,
					  &seq),
			 0);
	assert_int_equal(seq, 4);
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

static void refusals_never_push_out_what_was_done(void **state)
{
	struct fixture *f = *state;
	struct store_audit a = {.actor = "ops", .method = "POST", .path = "/", .outcome = "allow"};

	add_rows(f, &a, 5);
	a.outcome = "deny";
	add_rows(f, &a, STORE_AUDIT_DENY_ROWS + 7);
	/* At once, not with the next prune. */
	assert_int_equal(count_of(f, "SELECT COUNT(*) FROM audit WHERE outcome = 'deny'"),
			 STORE_AUDIT_DENY_ROWS);
	assert_int_equal(count_of(f, "SELECT COUNT(*) FROM audit WHERE outcome = 'allow'"), 5);
	reopen(f);
	add_rows(f, &a, 1);
	assert_int_equal(count_of(f, "SELECT COUNT(*) FROM audit WHERE outcome = 'deny'"),
			 STORE_AUDIT_DENY_ROWS);
}

/* Refuses one COMMIT. */
static int refuse_once(void *arg)
{
	bool *refuse = arg, was = *refuse;

	*refuse = false;
	return was;
}

static void a_failed_commit_counts_no_rows(void **state)
{
	struct fixture *f = *state;
	struct store_audit a = {.actor = "ops", .method = "POST", .path = "/", .outcome = "deny"};
	bool refuse = true;

	add_rows(f, &a, 1);
	sqlite3_commit_hook(f->s->place.db.handle, refuse_once, &refuse);
	/* Two that share a transaction of the database, and then have one each. */
	for (int i = 0; i < 2; i++) {
		struct store_tx *tx = store_begin(f->s);

		store_audit_add(tx, &a, NULL);
		assert_int_equal(store_commit(tx, NULL, NULL), 0);
	}
	store_settle(f->s);
	sqlite3_commit_hook(f->s->place.db.handle, NULL, NULL);
	assert_false(refuse);
	assert_int_equal(count_of(f, "SELECT COUNT(*) FROM audit"), 3);
	/* Those at the limit would make room for rows that are not there. */
	add_rows(f, &a, STORE_AUDIT_DENY_ROWS - 3);
	assert_int_equal(count_of(f, "SELECT COUNT(*) FROM audit"), STORE_AUDIT_DENY_ROWS);
}

/* A store as the program with schema 1 left it. */
static void a_store_of_schema_1_is_carried_on(void **state)
{
	struct fixture *f = *state;
	uint64_t id, seq = 0;
	sqlite3 *db;
	char path[128];

	store_close(f->s);
	f->s = NULL;
	snprintf(path, sizeof(path), "%s/state.db", f->data);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, schema1, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(f->data, &f->s, f->why, sizeof(f->why)), 0);
	assert_int_equal(rules(f), 1);
	assert_int_equal(count_of(f, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
	assert_int_equal(count_of(f, "SELECT COUNT(*) FROM tokens WHERE expires_ms = 0"), 1);
	assert_int_equal(store_audit_list(f->s, &(struct store_audit_query){.limit = 10}, last_seq,
					  &seq),
			 0);
	assert_int_equal(seq, 1);
	id = put_rule(f);
	assert_int_equal(id, 8);
}

static void copy(const struct fixture *f, const char *from, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cp '%s/%s' '%s/%s'", f->data, from, f->data, to);
	assert_int_equal(system(command), 0);
}

static void a_restored_store_gives_no_id_twice(void **state)
{
	struct fixture *f = *state;
	char command[256], *generation;

	put_client(f);
	put_rule(f);
	put_rule(f);
	reopen(f);
	assert_false(store_was_restored(f->s));
	store_close(f->s);
	copy(f, "state.db", "backup");
	assert_int_equal(store_open(f->data, &f->s, f->why, sizeof(f->why)), 0);
	for (int i = 0; i < 5; i++)
		put_rule(f);
	store_close(f->s);
	copy(f, "backup", "state.db");
	assert_int_equal(store_open(f->data, &f->s, f->why, sizeof(f->why)), 0);
	assert_int_equal(rules(f), 2);
	assert_true(store_was_restored(f->s));
	assert_int_equal(store_setting_get(f->s, STORE_GENERATION, &generation), 0);
	assert_string_equal(generation, "2");
	free(generation);
	assert_int_equal(put_rule(f), 8);
	reopen(f);
	assert_false(store_was_restored(f->s));
	/* An edge knows more than this host does. */
	assert_int_equal(STORED(f->s, store_rule_raise(tx, 500)), 0);
	assert_int_equal(STORED(f->s, store_rule_raise(tx, 20)), 0);
	reopen(f);
	assert_int_equal(put_rule(f), 501);
	/* On another host, with state.db alone. */
	snprintf(command, sizeof(command), "%s/state.db.ids", f->data);
	store_close(f->s);
	assert_int_equal(unlink(command), 0);
	assert_int_equal(store_open(f->data, &f->s, f->why, sizeof(f->why)), 0);
	assert_true(put_rule(f) > 1000);
}

static void last_event(void *arg, const struct store_event *e)
{
	*(uint64_t *)arg = e->rule_id;
}

static void a_flapping_rule_does_not_push_out_the_others(void **state)
{
	struct fixture *f = *state;
	struct store_event e = {.kind = "target.failed", .client = "edge-01", .rule_id = 1};
	const uint64_t day = 86400ull * 1000, now = 1000 * day;
	uint64_t rule = 0;

	struct store_tx *many = store_begin(f->s);

	e.at_ms = now - 91 * day;
	store_event_add(many, &e);
	e.at_ms = now - 1;
	store_event_add(many, &e);
	e.rule_id = 2;
	for (int i = 0; i < STORE_EVENT_RULE_ROWS + 10; i++) {
		e.at_ms = now - (uint64_t)i;
		store_event_add(many, &e);
	}
	store_events_prune(many, now);
	assert_int_equal(store_commit_wait(many), 0);
	assert_int_equal(count_of(f, "SELECT COUNT(*) FROM events WHERE rule_id = 1"), 1);
	assert_int_equal(count_of(f, "SELECT COUNT(*) FROM events WHERE rule_id = 2"),
			 STORE_EVENT_RULE_ROWS);
	/* The same change, told again, is one. */
	e.target = "a:1";
	assert_int_equal(STORED(f->s, store_event_add(tx, &e)), 0);
	assert_int_equal(STORED(f->s, store_event_add(tx, &e)), 0);
	assert_int_equal(count_of(f, "SELECT COUNT(*) FROM events WHERE target = 'a:1'"), 1);
	assert_int_equal(store_events(f->s,
				      &(struct store_event_query){.rule_id = 1,
								  .kind = "target.",
								  .limit = 9},
				      last_event, &rule),
			 0);
	assert_int_equal(rule, 1);
	rule = 0;
	assert_int_equal(store_events(f->s,
				      &(struct store_event_query){.client = "edge-02", .limit = 9},
				      last_event, &rule),
			 0);
	assert_int_equal(rule, 0);
}

static void settings_keep_and_forget(void **state)
{
	struct fixture *f = *state;
	char *v = NULL;

	assert_int_equal(store_setting_get(f->s, "k", &v), -ENOENT);
	assert_int_equal(STORED(f->s, store_setting_put(tx, "k", "v1")), 0);
	assert_int_equal(STORED(f->s, store_setting_put(tx, "k", "v2")), 0);
	reopen(f);
	assert_int_equal(store_setting_get(f->s, "k", &v), 0);
	assert_string_equal(v, "v2");
	free(v);
	assert_int_equal(STORED(f->s, store_setting_put(tx, "k", NULL)), 0);
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

	assert_int_equal(STORED(f->s, store_token_put(tx, &t)), 0);
	t.revoked_ms = 9;
	assert_int_equal(STORED(f->s, store_token_put(tx, &t)), 0);
	assert_int_equal(store_tokens(f->s, get_token, text), 0);
	assert_string_equal(text, "ci/viewer/h/9");
	t.name = "other";
	assert_int_equal(STORED(f->s, store_token_put(tx, &t)), -EEXIST);
	t.hash = "h2";
	t.role = "root";
	assert_int_equal(STORED(f->s, store_token_put(tx, &t)), -EEXIST);
}

static int add_code(struct fixture *f, const char *hash, const char *client, const char *name)
{
	struct store_code c = {.name = (char *)name,
			       .created_ms = clock_wall_ms(),
			       .expires_ms = clock_wall_ms() + 60000};

	strcpy(c.client_id, client);
	return STORED(f->s, store_code_add(tx, hash, &c));
}

static bool has_code(struct fixture *f, const char *hash)
{
	struct store_code c;

	if (store_code_get(f->s, hash, &c))
		return false;
	store_code_free(&c);
	return true;
}

static void a_revocation_voids_codes(void **state)
{
	struct fixture *f = *state;

	put_client(f);
	assert_int_equal(add_code(f, "code-1", CLIENT, "edge-01"), 0);
	assert_int_equal(STORED(f->s, store_client_revoke(tx, CLIENT, 9)), 0);
	assert_false(has_code(f, "code-1"));
	assert_int_equal(STORED(f->s, store_client_revoke(tx, "01J9ZK8M3Q6S7T8V9W0X1Y2Z3B", 9)),
			 -ENOENT);
}

static void a_name_has_one_code(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(add_code(f, "code-1", "01J9ZK8M3Q6S7T8V9W0X1Y2Z3B", "edge-02"), 0);
	assert_int_equal(add_code(f, "code-2", "01J9ZK8M3Q6S7T8V9W0X1Y2Z3C", "edge-02"), 0);
	assert_false(has_code(f, "code-1"));
	assert_true(has_code(f, "code-2"));
}

/* Takes the write lock as an administrator's sqlite3 would, and lets go after a while. */
static void *lock_for_a_while(void *arg)
{
	struct fixture *f = arg;
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/state.db", f->data);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	f->why[0] = 'L';
	usleep(300000);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(db);
	return NULL;
}

static void a_write_waits_for_a_lock(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	f->why[0] = '\0';
	assert_int_equal(pthread_create(&thread, NULL, lock_for_a_while, f), 0);
	while (*(volatile char *)f->why != 'L')
		usleep(1000);
	put_client(f);
	pthread_join(thread, NULL);
}

/* ---- the line of transactions ---- */

#define LINE 200

/* What was told, in the order in which it was told. */
struct line {
	struct fixture *f;
	struct event_base *base;
	int n, failed, turns;
	uint64_t id[LINE];
	struct place {
		struct line *of;
		int at;
		uint64_t id;
	} place[LINE];
};

static void in_line(void *arg, int err)
{
	struct place *p = arg;
	struct line *l = p->of;

	assert_int_equal(p->at, l->n);
	/* Every tenth asks for what there is not. */
	assert_int_equal(err, p->at % 10 == 9 ? -ENOENT : 0);
	/* What is told can be read. */
	if (!err)
		assert_true(rules(l->f) >= l->n - l->failed + 1);
	l->failed += err != 0;
	l->id[l->n++] = p->id;
	if (l->n == LINE && l->base)
		event_base_loopbreak(l->base);
}

static void put_in_line(struct line *l, int at)
{
	const struct store_rule r = {.client_id = CLIENT, .owner = "ops", .spec = "{}"};
	struct store_tx *tx = store_begin(l->f->s);

	l->place[at] = (struct place){.of = l, .at = at};
	store_rule_insert(tx, &r, &l->place[at].id);
	if (at % 10 == 9)
		store_rule_delete(tx, 1000000);
	assert_int_equal(store_commit(tx, in_line, &l->place[at]), 0);
}

static void check_line(struct fixture *f, const struct line *l)
{
	uint64_t last = 0;

	assert_int_equal(l->n, LINE);
	assert_int_equal(l->failed, LINE / 10);
	assert_int_equal(rules(f), LINE - LINE / 10);
	for (int i = 0; i < LINE; i++) {
		if (i % 10 == 9)
			continue;
		assert_true(l->id[i] > last);
		last = l->id[i];
	}
	assert_int_equal(store_rule_highest(f->s), last);
}

static void transactions_are_told_in_order_and_fail_one_by_one(void **state)
{
	struct fixture *f = *state;
	struct line l = {.f = f};

	put_client(f);
	for (int i = 0; i < LINE; i++)
		put_in_line(&l, i);
	assert_int_equal(l.n, 0); /* nobody is told before commit() has returned */
	store_settle(f->s);
	check_line(f, &l);
	reopen(f);
	assert_int_equal(rules(f), LINE - LINE / 10);
}

static void so_they_are_by_the_thread(void **state)
{
	struct fixture *f = *state;
	struct line l = {.f = f, .base = event_base_new()};

	put_client(f);
	assert_int_equal(store_serve(f->s, l.base), 0);
	for (int i = 0; i < LINE; i++)
		put_in_line(&l, i);
	event_base_dispatch(l.base);
	check_line(f, &l);
	store_close(f->s);
	f->s = NULL;
	assert_int_equal(store_open(f->data, &f->s, f->why, sizeof(f->why)), 0);
	event_base_free(l.base);
}

static void count_turn(evutil_socket_t fd, short what, void *arg)
{
	++((struct line *)arg)->turns;
}

static void stop_turning(void *arg, int err)
{
	struct line *l = arg;

	assert_int_equal(err, 0);
	l->n++;
	event_base_loopbreak(l->base);
}

static void the_loop_turns_while_a_write_waits(void **state)
{
	struct fixture *f = *state;
	struct line l = {.f = f, .base = event_base_new()};
	const struct timeval often = {.tv_usec = 1000};
	struct event *timer = event_new(l.base, -1, EV_PERSIST, count_turn, &l);
	struct store_tx *tx;
	pthread_t thread;

	assert_int_equal(store_serve(f->s, l.base), 0);
	f->why[0] = '\0';
	assert_int_equal(pthread_create(&thread, NULL, lock_for_a_while, f), 0);
	while (*(volatile char *)f->why != 'L')
		usleep(1000);
	event_add(timer, &often);
	tx = store_begin(f->s);
	store_setting_put(tx, "k", "v");
	assert_int_equal(store_commit(tx, stop_turning, &l), 0);
	event_base_dispatch(l.base);
	assert_int_equal(l.n, 1);
	assert_true(l.turns > 2); /* of 300 that a machine with nothing else to do makes */
	pthread_join(thread, NULL);
	event_free(timer);
	store_close(f->s);
	f->s = NULL;
	assert_int_equal(store_open(f->data, &f->s, f->why, sizeof(f->why)), 0);
	event_base_free(l.base);
}

static void nothing_that_was_committed_is_lost_at_the_end(void **state)
{
	struct fixture *f = *state;
	struct event_base *base = event_base_new();

	for (int i = 0; i < 2; i++) {
		struct store_tx *tx;
		char *value, text[8];

		if (i)
			assert_int_equal(store_serve(f->s, base), 0);
		snprintf(text, sizeof(text), "%d", i);
		tx = store_begin(f->s);
		store_setting_put(tx, "k", text);
		assert_int_equal(store_commit(tx, NULL, NULL), 0);
		reopen(f);
		assert_int_equal(store_setting_get(f->s, "k", &value), 0);
		assert_string_equal(value, text);
		free(value);
	}
	event_base_free(base);
}

static void one_name_is_one_clients_at_the_same_time(void **state)
{
	struct fixture *f = *state;
	const struct store_client b = {.id = "01J9ZK8M3Q6S7T8V9W0X1Y2Z3B",
				       .name = "edge-02",
				       .token_hash = "h2"};

	put_client(f);
	assert_int_equal(STORED(f->s, store_client_put(tx, &b)), 0);
	assert_int_equal(STORED(f->s, store_client_rename(tx, b.id, "edge-01")), -EEXIST);
	assert_int_equal(STORED(f->s, store_client_rename(tx, b.id, "edge-03")), 0);
	assert_int_equal(STORED(f->s, store_client_revoke(tx, CLIENT, 9)), 0);
	assert_int_equal(STORED(f->s, store_client_rename(tx, b.id, "edge-01")), 0);
	assert_int_equal(STORED(f->s, store_client_rename(tx, "nobody", "x")), -ENOENT);
}

static void the_last_admin_stays_whoever_comes_first(void **state)
{
	struct fixture *f = *state;
	struct store_token t = {.name = "a", .role = "admin", .hash = "1", .created_ms = 1};

	assert_int_equal(STORED(f->s, store_token_add(tx, &t)), 0);
	assert_int_equal(STORED(f->s, store_token_add(tx, &t)), -EEXIST);
	t.name = "b";
	t.hash = "2";
	assert_int_equal(STORED(f->s, store_token_add(tx, &t)), 0);
	/* Each was checked when there were two. */
	assert_int_equal(STORED(f->s, store_token_revoke(tx, "a", 5)), 0);
	assert_int_equal(STORED(f->s, store_token_revoke(tx, "b", 5)), -EPERM);
	assert_int_equal(STORED(f->s, store_token_revoke(tx, "a", 5)), -ENOENT);
	t.name = "a";
	t.hash = "3";
	assert_int_equal(STORED(f->s, store_token_add(tx, &t)), 0);
}

static int work(void *arg)
{
	return *(int *)arg;
}

static void work_that_fails_takes_its_transaction_along(void **state)
{
	struct fixture *f = *state;
	int err = -ENOSPC, good = 0;
	char *value;

	assert_int_equal(STORED(f->s, store_setting_put(tx, "k", "v"); store_work(tx, work, &err)),
			 -ENOSPC);
	assert_int_equal(store_setting_get(f->s, "k", &value), -ENOENT);
	assert_int_equal(STORED(f->s, store_setting_put(tx, "k", "v"); store_work(tx, work, &good)),
			 0);
	assert_int_equal(store_setting_get(f->s, "k", &value), 0);
	free(value);
}

static int write_beside(void *arg, struct store_tx *tx)
{
	store_setting_put(tx, arg, "beside");
	return 0;
}

static int fail_beside(void *arg, struct store_tx *tx)
{
	return -ENOSPC;
}

static void a_companion_is_stored_with_the_change_or_not_at_all(void **state)
{
	struct fixture *f = *state;
	const struct store_client c = {.id = CLIENT, .name = "edge-01", .token_hash = "h1"};
	char *value;

	store_set_companion(f->s, &(struct store_companion){.write = fail_beside});
	assert_int_equal(STORED(f->s, store_client_put(tx, &c)), -ENOSPC);
	store_set_companion(f->s, NULL);
	/* Nothing of it is there: no rule can refer to it. */
	assert_int_equal(STORED(f->s, store_client_delete(tx, CLIENT)), -ENOENT);
	store_set_companion(f->s, &(struct store_companion){.write = write_beside, .arg = "key"});
	assert_int_equal(STORED(f->s, store_client_put(tx, &c)), 0);
	store_set_companion(f->s, NULL);
	assert_int_equal(store_setting_get(f->s, "key", &value), 0);
	free(value);
}

static void errors_have_one_status_and_words(void **state)
{
	const char *code;

	assert_int_equal(store_status(-ENOSPC, &code), 507);
	assert_string_equal(code, "store_full");
	assert_int_equal(store_status(-EBUSY, &code), 503);
	assert_string_equal(code, "store_unavailable");
	assert_int_equal(store_status(-EROFS, &code), 503);
	assert_int_equal(store_status(-EIO, &code), 503);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_revocation_voids_codes),
		TEST(a_name_has_one_code),
		TEST(a_write_waits_for_a_lock),
		TEST(transactions_are_told_in_order_and_fail_one_by_one),
		TEST(so_they_are_by_the_thread),
		TEST(the_loop_turns_while_a_write_waits),
		TEST(nothing_that_was_committed_is_lost_at_the_end),
		TEST(one_name_is_one_clients_at_the_same_time),
		TEST(the_last_admin_stays_whoever_comes_first),
		TEST(work_that_fails_takes_its_transaction_along),
		TEST(a_companion_is_stored_with_the_change_or_not_at_all),
		TEST(errors_have_one_status_and_words),
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
		TEST(a_failed_commit_counts_no_rows),
		TEST(refusals_never_push_out_what_was_done),
		TEST(a_restored_store_gives_no_id_twice),
		TEST(a_flapping_rule_does_not_push_out_the_others),
		TEST(a_store_of_schema_1_is_carried_on),
		TEST(settings_keep_and_forget),
		TEST(tokens_have_unique_secrets_and_known_roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
