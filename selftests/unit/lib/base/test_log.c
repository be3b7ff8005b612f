// SPDX-License-Identifier: MIT
/* Log lines are one JSON object each, whatever is in the fields; UTF-8 is recognised as RFC 3629. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/log.h"

/* Between capture() and line() stderr is a pipe. */
static int saved, from;

static void capture(void)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	saved = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	from = ends[0];
}

/* Ends the capture. Returns what was written as an object, or NULL for nothing; @size its bytes. */
static json_t *line(size_t *size)
{
	char buf[16384];
	json_error_t err;
	json_t *o = NULL;
	ssize_t n;

	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(from, buf, sizeof(buf));
	close(from);
	*size = n > 0 ? (size_t)n : 0;
	if (n <= 0)
		return NULL;
	assert_int_equal(buf[n - 1], '\n');
	assert_null(memchr(buf, '\n', (size_t)n - 1));
	o = json_loadb(buf, (size_t)n, JSON_REJECT_DUPLICATES, &err);
	if (!o)
		fail_msg("%s: %.*s", err.text, (int)n, buf);
	return o;
}

static const char *field(json_t *o, const char *key)
{
	return json_string_value(json_object_get(json_object_get(o, "fields"), key));
}

static void test_layout(void **state)
{
	json_t *o, *fields;
	size_t size;

	log_init("portunus_client", "info");
	capture();
	log_event(LOG_WARN, "rule.failed", LOGF_STR("reason", "port_in_use"), LOGF_INT("n", -3),
		  LOGF_UINT("id", UINT64_MAX >> 1), LOGF_FLAG("yes", true), LOGF_STR("none", NULL));
	o = line(&size);
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "level")), "WARN");
	assert_string_equal(json_string_value(json_object_get(o, "target")), "portunus_client");
	assert_int_equal(strlen(json_string_value(json_object_get(o, "timestamp"))), 27);
	fields = json_object_get(o, "fields");
	assert_string_equal(field(o, "event"), "rule.failed");
	assert_string_equal(field(o, "reason"), "port_in_use");
	assert_int_equal(json_integer_value(json_object_get(fields, "n")), -3);
	assert_int_equal(json_integer_value(json_object_get(fields, "id")), INT64_MAX);
	assert_true(json_is_true(json_object_get(fields, "yes")));
	assert_true(json_is_null(json_object_get(fields, "none")));
	json_decref(o);
}

static void test_bytes(void **state)
{
	char all[256];
	size_t size;
	json_t *o;

	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	log_init("t", NULL);
	capture();
	log_event(LOG_INFO, "e", LOGF_STR("all", all), LOGF_STR("cut", "a\xe2\x82"),
		  LOGF_STR("good", "ä€😀\"\\\x7f\n"));
	o = line(&size);
	assert_non_null(o);
	assert_memory_equal(field(o, "all"), all, 0x7f);
	assert_string_equal(field(o, "all") + 0x7f + 3,
			    strstr(field(o, "all"), "\xef\xbf\xbd") + 3);
	assert_string_equal(field(o, "cut"), "a\xef\xbf\xbd\xef\xbf\xbd");
	assert_string_equal(field(o, "good"), "ä€😀\"\\\x7f\n");
	json_decref(o);
}

/* A field that is too long is left out whole, and those behind it still come. */
static void test_long(void **state)
{
	static char huge[8192];
	size_t size;
	json_t *o;

	memset(huge, '"', sizeof(huge) - 1);
	log_init("t", "info");
	for (size_t len = 1800; len < 2100; len++) {
		huge[len] = '\0';
		capture();
		log_event(LOG_INFO, "e", LOGF_STR("huge", huge), LOGF_INT("after", 1));
		o = line(&size);
		huge[len] = '"';
		assert_non_null(o);
		assert_true(size <= 4096);
		if (field(o, "huge"))
			assert_int_equal(strlen(field(o, "huge")), len);
		else
			assert_int_equal(json_integer_value(
						 json_object_get(json_object_get(o, "fields"),
								 "after")),
					 1);
		json_decref(o);
	}
	capture();
	log_event(LOG_INFO, "e", LOGF_STR("huge", huge), LOGF_STR("b", "after"));
	o = line(&size);
	assert_non_null(o);
	assert_null(field(o, "huge"));
	assert_string_equal(field(o, "b"), "after");
	json_decref(o);
}

static void test_filter(void **state)
{
	static const struct {
		const char *filter;
		int last; /* the last level that is written, -1 for none */
	} cases[] = {
		{NULL, LOG_INFO},	{"", LOG_INFO},	      {"error", LOG_ERROR},
		{"DEBUG", LOG_DEBUG},	{"off", -1},	      {"portunus=debug,warn", LOG_WARN},
		{"nonsense", LOG_INFO}, {"trace", LOG_TRACE}, {"warn,hyper=off", LOG_WARN},
	};
	size_t size;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		log_init("t", cases[i].filter);
		for (int level = LOG_ERROR; level <= LOG_TRACE; level++)
			assert_int_equal(log_enabled((enum log_level)level),
					 level <= cases[i].last);
	}
	log_init("t", "warn");
	capture();
	log_event(LOG_INFO, "quiet");
	assert_null(line(&size));
}

/* ---- the thread that writes ---- */

/* In a child of its own, for the thread is there for good: a pipe that nobody reads, and too many lines. */
static void flood(int to_parent, int from_parent)
{
	char go;

	dup2(to_parent, STDERR_FILENO);
	if (log_start())
		_exit(2);
	for (unsigned i = 0; i < 40000; i++)
		log_event(LOG_INFO, "flood", LOGF_UINT("n", i),
			  LOGF_STR("padding", "0123456789012345678901234567890123456789012345678"));
	if (!log_dropped())
		_exit(3);
	/* The parent reads now, until there is room again. */
	if (write(from_parent, "x", 1) != 1 || read(from_parent, &go, 1) != 1)
		_exit(4);
	log_event(LOG_INFO, "after");
	log_stop();
	_exit(0);
}

/* Counts the lines up to "after" into @seen; returns what log.dropped said in all. */
static uint64_t read_flood(FILE *lines, int child, uint64_t *seen)
{
	uint64_t dropped = 0, told = 0;
	char text[8192];

	*seen = 0;
	while (fgets(text, sizeof(text), lines)) {
		json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *fields;

		if (!o)
			fail_msg("no JSON: %s", text);
		fields = json_object_get(o, "fields");
		if (!strcmp(field(o, "event"), "log.dropped"))
			dropped += (uint64_t)json_integer_value(json_object_get(fields, "lines"));
		*seen += !strcmp(field(o, "event"), "flood");
		if (dropped && !told)
			told = write(child, "x", 1) == 1;
		json_decref(o);
	}
	return dropped;
}

static void test_nobody_reads(void **state)
{
	int ends[2], control[2], status;
	uint64_t seen, dropped;
	char ready;
	pid_t child;
	FILE *lines;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control), 0);
	log_init("test", "info");
	child = fork();
	if (!child) {
		close(ends[0]);
		flood(ends[1], control[1]);
	}
	close(ends[1]);
	close(control[1]);
	/* It got through 40,000 lines although nobody has read one. */
	assert_int_equal(read(control[0], &ready, 1), 1);
	lines = fdopen(ends[0], "r");
	dropped = read_flood(lines, control[0], &seen);
	fclose(lines);
	close(control[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(dropped > 0);
	/* Every line is here or counted. */
	assert_int_equal(seen + dropped, 40000);
}

/* A child of fork() has no thread, and writes by itself until it starts one. */
static void test_after_fork(void **state)
{
	int ends[2], status;
	char text[8192];
	ssize_t n;
	pid_t child;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child = fork();
	if (!child) {
		dup2(ends[1], STDERR_FILENO);
		log_init("test", "info");
		if (log_start())
			_exit(2);
		child = fork();
		if (!child) {
			log_event(LOG_INFO, "grandchild");
			_exit(log_start() || log_dropped());
		}
		waitpid(child, &status, 0);
		log_event(LOG_INFO, "child");
		log_stop();
		_exit(status);
	}
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	n = read(ends[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "grandchild"));
	assert_non_null(strstr(text, "\"child\""));
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),	     cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_long),	     cmocka_unit_test(test_filter),
		cmocka_unit_test(test_nobody_reads), cmocka_unit_test(test_after_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
