// SPDX-License-Identifier: MIT
/* The audit trail: nothing of it is lost to a lock, and nobody without a credential fills it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>
#include <sqlite3.h>

#include "lib/base/log.h"
#include "lib/base/utf8.h"
#include "server/access/audit.h"
#include "server/access/refusals.h"
#include "selftests/unit/server/store/stored.h"

struct fixture {
	char dir[64], why[256];
	struct event_base *base;
	struct store *store;
	struct audit *audit;
	/* Of the rows that list() saw: how many, for how many requests, and the last one's texts. */
	int rows;
	uint64_t times, seq, written;
	char path[600], remote[64], reason[64], resource[64];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_init("test", "off");
	snprintf(f->dir, sizeof(f->dir), "/var/tmp/portunus-audit.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(store_open(f->dir, &f->store, f->why, sizeof(f->why)), 0);
	f->base = event_base_new();
	f->audit = audit_new(f->base, f->store);
	assert_non_null(f->audit);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	audit_free(f->audit);
	event_base_free(f->base);
	store_close(f->store);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void see(void *arg, const struct store_audit *a)
{
	struct fixture *f = arg;

	f->rows++;
	f->times += a->times;
	f->seq = a->seq;
	snprintf(f->path, sizeof(f->path), "%s", a->path);
	snprintf(f->remote, sizeof(f->remote), "%s", a->remote_addr ? a->remote_addr : "");
	snprintf(f->reason, sizeof(f->reason), "%s", a->reason ? a->reason : "");
	snprintf(f->resource, sizeof(f->resource), "%s",
		 a->resource_value ? a->resource_value : "");
}

static int list(struct fixture *f)
{
	f->rows = 0;
	f->times = 0;
	audit_flush(f->audit, NULL, NULL);
	store_settle(f->store);
	assert_int_equal(store_audit_list(f->store, &(struct store_audit_query){.limit = 20000},
					  see, f),
			 0);
	return f->rows;
}

static struct store_audit denied(const char *remote, const char *reason)
{
	return (struct store_audit){.actor = AUDIT_ANONYMOUS,
				    .method = "GET",
				    .path = "/v1/rules",
				    .outcome = "deny",
				    .reason = reason,
				    .remote_addr = remote};
}

static void refusals_are_summed_up(void **state)
{
	struct fixture *f = *state;
	struct store_audit a = denied("192.0.2.1", "unauthenticated");
	struct store_audit b = denied("192.0.2.1", "credential_invalid");

	for (int i = 0; i < 5000; i++)
		audit_add(f->audit, &a);
	audit_add(f->audit, &b);
	/* Two or, when a minute has just turned, three. */
	assert_in_range(list(f), 2, 3);
	assert_int_equal(f->times, 5001);
	assert_string_equal(f->remote, "192.0.2.1");
	audit_add(f->audit, &a);
	assert_in_range(list(f), 2, 4);
	assert_int_equal(f->times, 5002);
}

static void addresses_do_not_fill_the_trail(void **state)
{
	struct refusals *r = refusals_new();
	struct fixture *f = *state;
	int made = 0;

	for (int i = 0; i < 5000; i++) {
		char remote[32];
		struct store_audit a;

		snprintf(remote, sizeof(remote), "198.51.%d.%d", i / 250, i % 250);
		a = denied(remote, i % 2 ? "unauthenticated" : "credential_invalid");
		made += refusals_note(r, &a, 60000);
	}
	/* The two reasons of those who came too late have a row each. */
	assert_int_equal(made, REFUSALS_MAX + 2);
	assert_int_equal(STORED(f->store, refusals_write(r, tx)), 0);
	refusals_written(r, true);
	assert_false(refusals_pending(r));
	assert_int_equal(list(f), REFUSALS_MAX + 2);
	assert_int_equal(f->times, 5000);
	/* The next minute has room again. */
	assert_true(refusals_note(r,
				  &(struct store_audit){.actor = AUDIT_ANONYMOUS,
							.method = "GET",
							.path = "/",
							.outcome = "deny",
							.remote_addr = "192.0.2.9"},
				  120000));
	refusals_free(r);
}

static void texts_are_short_and_readable(void **state)
{
	struct fixture *f = *state;
	struct store_audit a = denied("192.0.2.1", "not_found");
	char path[3000] = "/v1/a";

	for (int i = 0; i < 900; i++)
		strcat(path, "\xe8\x8a\x82");
	a.path = path;
	a.actor = "ops";
	audit_add(f->audit, &a);
	assert_int_equal(list(f), 1);
	assert_in_range(strlen(f->path), 250, 256);
	assert_true(utf8_valid(f->path, strlen(f->path)));
}

static void a_lock_delays_rows_and_loses_none(void **state)
{
	struct fixture *f = *state;
	struct store_audit a = denied("192.0.2.1", "role_required");
	char path[128];
	sqlite3 *db;

	a.actor = "eve";
	snprintf(path, sizeof(path), "%s/state.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	for (int i = 0; i < 300; i++)
		audit_add(f->audit, &a);
	assert_int_equal(list(f), 0);
	assert_int_equal(audit_drops(f->audit), 0);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_int_equal(list(f), 300);
}

static void fill(void *arg, struct store_audit *row)
{
	*row = (struct store_audit){.actor = "ops",
				    .method = "POST",
				    .path = "/v1/rules",
				    .outcome = "allow",
				    .action = "rule.push"};
}

static void written(void *arg, uint64_t seq)
{
	struct fixture *f = arg;

	f->written = seq;
}

static void a_change_and_its_row_are_one(void **state)
{
	struct fixture *f = *state;
	const struct audit_request r = {.fill = fill, .written = written, .arg = f};

	/* A change that does not come about leaves no row. */
	audit_attend(f->audit, &r);
	assert_int_equal(STORED(f->store, store_rule_delete(tx, 7)), -ENOENT);
	assert_int_equal(f->written, 0);
	audit_attend(f->audit, &r);
	assert_int_equal(STORED(f->store, store_setting_put(tx, "k", "v")), 0);
	assert_int_not_equal(f->written, 0);
	/* Only the first change is the request's. */
	assert_int_equal(STORED(f->store, store_setting_put(tx, "k", "w")), 0);
	audit_leave(f->audit, f);
	assert_int_equal(STORED(f->store, store_setting_put(tx, "k", "x")), 0);
	/* There without any flush. */
	assert_int_equal(store_audit_list(f->store, &(struct store_audit_query){.limit = 9}, see,
					  f),
			 0);
	assert_int_equal(f->rows, 1);
	assert_int_equal(f->seq, f->written);
	audit_complete(f->audit, &(struct store_audit){.seq = f->written,
						       .actor = "ops",
						       .method = "POST",
						       .path = "/v1/rules",
						       .outcome = "allow",
						       .reason = "ack_timeout",
						       .resource_kind = "rule",
						       .resource_value = "7"});
	assert_int_equal(list(f), 1);
	assert_string_equal(f->reason, "ack_timeout");
	assert_string_equal(f->resource, "7");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(refusals_are_summed_up),	    TEST(addresses_do_not_fill_the_trail),
		TEST(texts_are_short_and_readable), TEST(a_lock_delays_rows_and_loses_none),
		TEST(a_change_and_its_row_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
