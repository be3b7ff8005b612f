// SPDX-License-Identifier: MIT
/* The local view's JSON, and its socket file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "edge/watch/report.h"
#include "edge/status/conns.h"
#include "edge/status/json.h"
#include "edge/status/listen.h"
#include "lib/rule/rule.h"

/* Three targets of which the second is preferred: priorities 10, 5, 10. */
static struct rule *three_targets(void)
{
	struct rule *r = rule_new(3);

	assert_non_null(r);
	r->listen_port = 8080;
	for (unsigned i = 0; i < 3; i++) {
		char host[] = "a.test";

		host[0] = (char)('a' + i);
		r->targets[i].host = strdup(host);
		r->targets[i].port = 80;
		r->targets[i].priority = i == 1 ? 5 : 10;
	}
	return r;
}

static void fill(struct rule_report *r, const struct rule *rule)
{
	memset(r, 0, sizeof(*r));
	r->rule_id = 7;
	r->rule = rule;
	r->status = RULE_ACTIVE;
	r->reason = "";
	r->monitored = rule->n_targets > 1;
	r->n = rule->n_targets;
	r->current = rule->n_targets > 1;
	for (unsigned i = 0; i < r->n; i++) {
		r->target[i].host = rule->targets[i].host;
		r->target[i].port = rule->targets[i].port;
		r->target[i].priority = rule->targets[i].priority;
	}
}

static json_int_t number(const json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	assert_true(json_is_integer(v));
	return json_integer_value(v);
}

static const char *string(const json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	assert_true(json_is_string(v));
	return json_string_value(v);
}

static void rule_with_targets(void **state)
{
	struct rule *rule = three_targets();
	struct rule_report r;
	json_t *o, *row, *attempts, *kernel;

	fill(&r, rule);
	r.bytes_in = 1ull << 40;
	r.failovers = 3;
	r.ended[END_KILLED] = 2;
	r.kernel.received_out = 99;
	r.kernel.srtt_us = 77;
	r.target[1].health = (struct health_view){.state = HEALTH_FAILED,
						  .consecutive_failures = 4,
						  .last_failure_unix_ms = 1000,
						  .since_unix_ms = 900,
						  .next_check_unix_ms = 2000,
						  .last_error = ECONNREFUSED};
	r.target[1].attempted = 5;
	r.target[1].timed_out = 4;
	r.target[1].pending = 1;
	r.target[1].slot = 12;
	r.target[1].kernel.connect_hist[19] = 6;
	r.target[1].kernel.last_errno = ETIMEDOUT;

	o = status_rule_json(&r, true);
	assert_int_equal(number(o, "rule_id"), 7);
	assert_int_equal(number(o, "listen_port"), 8080);
	assert_true(json_is_null(json_object_get(o, "listen_address")));
	assert_string_equal(string(o, "state"), "active");
	assert_string_equal(string(o, "reason"), "");
	assert_int_equal(number(o, "targets"), 3);
	assert_int_equal(number(o, "targets_healthy"), 2);
	assert_int_equal(number(json_object_get(o, "current"), "index"), 1);
	assert_true(number(o, "bytes_in") == 1ll << 40);
	assert_int_equal(number(o, "target_failovers_total"), 3);
	assert_int_equal(number(json_object_get(o, "ended"), "killed"), 2);
	kernel = json_object_get(o, "kernel");
	assert_string_equal(string(kernel, "basis"), "acked");
	assert_int_equal(number(kernel, "received_out"), 99);
	/* What cannot be added up is not in the sums. */
	assert_null(json_object_get(kernel, "srtt_us"));
	assert_null(json_object_get(kernel, "last_errno"));

	assert_int_equal(json_array_size(json_object_get(o, "per_target")), 3);
	row = json_array_get(json_object_get(o, "per_target"), 1);
	assert_int_equal(number(row, "index"), 1);
	assert_string_equal(string(row, "host"), "b.test");
	assert_int_equal(number(row, "priority"), 5);
	assert_int_equal(number(row, "health"), 1);
	assert_int_equal(number(row, "consecutive_failures"), 4);
	assert_int_equal(number(row, "next_check_unix_ms"), 2000);
	assert_string_equal(string(row, "last_error"), strerror(ECONNREFUSED));
	attempts = json_object_get(row, "attempts");
	assert_int_equal(number(attempts, "attempted"), 5);
	assert_int_equal(number(attempts, "timed_out"), 4);
	assert_int_equal(number(attempts, "pending"), 1);
	kernel = json_object_get(row, "kernel");
	assert_int_equal(number(kernel, "slot"), 12);
	assert_int_equal(number(kernel, "srtt_us"), 0);
	assert_int_equal(number(kernel, "last_errno"), ETIMEDOUT);
	assert_int_equal(json_array_size(json_object_get(kernel, "connect_hist")), 20);
	assert_int_equal(json_integer_value(
				 json_array_get(json_object_get(kernel, "connect_hist"), 19)),
			 6);
	json_decref(o);
	rule_free(rule);
}

static void rule_without_targets(void **state)
{
	struct rule *rule = three_targets();
	struct rule_report r;
	json_t *o;

	fill(&r, rule);
	r.basis = ACCOUNT_USER;
	r.status = RULE_FAILED;
	r.reason = "port_in_use";
	for (unsigned i = 0; i < 3; i++)
		r.target[i].drained = true;
	r.current = -1;
	o = status_rule_json(&r, false);
	assert_string_equal(string(o, "state"), "failed");
	assert_string_equal(string(o, "reason"), "port_in_use");
	assert_true(json_is_null(json_object_get(o, "current")));
	assert_null(json_object_get(o, "per_target"));
	assert_string_equal(string(json_object_get(o, "kernel"), "basis"), "written");
	json_decref(o);
	rule_free(rule);
}

static void connection(void **state)
{
	struct target t = {.host = (char *)"db.test", .port = 5432};
	struct conn_row row = {.rule_id = 9, .target = &t, .row = 1, .bytes_in = 5};
	json_t *o;

	assert_int_equal(addr_parse_literal("2001:db8::1", 4000, &row.client), 0);
	assert_int_equal(addr_parse_literal("192.0.2.9", 5432, &row.to), 0);
	o = status_conn_json(&row);
	assert_string_equal(string(o, "target"), "db.test:5432");
	assert_string_equal(string(o, "target_address"), "192.0.2.9:5432");
	assert_string_equal(string(o, "client"), "[2001:db8::1]:4000");
	assert_string_equal(string(o, "state"), "relaying");
	assert_int_equal(number(o, "index"), 1);
	assert_int_equal(number(o, "bytes_in"), 5);
	json_decref(o);

	row.target = NULL;
	row.row = -1;
	memset(&row.to, 0, sizeof(row.to));
	o = status_conn_json(&row);
	assert_string_equal(string(o, "state"), "dialling");
	assert_true(json_is_null(json_object_get(o, "target")));
	assert_true(json_is_null(json_object_get(o, "target_address")));
	assert_true(json_is_null(json_object_get(o, "index")));
	json_decref(o);
}

static void error_answer(void **state)
{
	json_t *o = status_error_json("busy", "say \"again\"");
	char *text = json_dumps(o, JSON_COMPACT);

	/* The client looks for exactly this beginning. */
	assert_string_equal(text,
			    "{\"error\":{\"code\":\"busy\",\"message\":\"say \\\"again\\\"\"}}");
	free(text);
	json_decref(o);
}

/* ---- the socket file ---- */

struct place {
	char dir[64], path[96];
	dev_t dev;
	ino_t ino;
};

static int make_place(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/test_status.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	/* A directory that is not there yet. */
	snprintf(p->path, sizeof(p->path), "%s/run/sock", p->dir);
	*state = p;
	return 0;
}

static int remove_place(void **state)
{
	struct place *p = *state;
	char run[80];

	unlink(p->path);
	snprintf(run, sizeof(run), "%s/run", p->dir);
	rmdir(run);
	assert_int_equal(rmdir(p->dir), 0);
	free(p);
	return 0;
}

static mode_t mode(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void socket_file(void **state)
{
	struct place *p = *state;
	char run[80];
	int fd = status_listen(p->path, &p->dev, &p->ino);

	assert_true(fd >= 0);
	snprintf(run, sizeof(run), "%s/run", p->dir);
	assert_int_equal(mode(run) & 0777, 0750);
	assert_int_equal(mode(p->path), 0660);
	/* Whoever listens is never displaced. */
	assert_int_equal(status_listen(p->path, &p->dev, &p->ino), -EADDRINUSE);
	/* A file that nobody listens on is. */
	close(fd);
	fd = status_listen(p->path, &p->dev, &p->ino);
	assert_true(fd >= 0);
	status_unlisten(fd, p->path, p->dev, p->ino);
	assert_int_equal(access(p->path, F_OK), -1);
}

static void socket_file_of_another(void **state)
{
	struct place *p = *state;
	dev_t dev;
	ino_t ino;
	int fd = status_listen(p->path, &p->dev, &p->ino), second;

	assert_true(fd >= 0);
	assert_int_equal(unlink(p->path), 0);
	second = status_listen(p->path, &dev, &ino);
	assert_true(second >= 0);
	/* The first one leaves; the file is the second's by now. */
	if (dev != p->dev || ino != p->ino) {
		status_unlisten(fd, p->path, p->dev, p->ino);
		assert_int_equal(access(p->path, F_OK), 0);
	} else {
		close(fd);
	}
	status_unlisten(second, p->path, dev, ino);
}

static void not_a_socket(void **state)
{
	struct place *p = *state;
	char run[80];
	FILE *f;

	snprintf(run, sizeof(run), "%s/run", p->dir);
	assert_int_equal(mkdir(run, 0700), 0);
	f = fopen(p->path, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(status_listen(p->path, &p->dev, &p->ino), -ENOTSOCK);
	assert_int_equal(access(p->path, F_OK), 0);
	assert_int_equal(mode(run), 0700);
}

static void path_too_long(void **state)
{
	char path[200];
	dev_t dev;
	ino_t ino;

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(status_listen(path, &dev, &ino), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_with_targets),
		cmocka_unit_test(rule_without_targets),
		cmocka_unit_test(connection),
		cmocka_unit_test(error_answer),
		cmocka_unit_test_setup_teardown(socket_file, make_place, remove_place),
		cmocka_unit_test_setup_teardown(socket_file_of_another, make_place, remove_place),
		cmocka_unit_test_setup_teardown(not_a_socket, make_place, remove_place),
		cmocka_unit_test(path_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
