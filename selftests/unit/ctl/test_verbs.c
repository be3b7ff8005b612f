// SPDX-License-Identifier: MIT
/* The verbs' texts: numbers, times, tables, and what is made of the daemon's answers. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "ctl/verbs.h"
#include "ctl/show.h"
#include "lib/base/text.h"
#include "lib/base/table.h"

static void bytes(void **state)
{
	static const struct {
		uint64_t n;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1.0 KiB"},
		{1536, "1.5 KiB"},
		{102300, "99.9 KiB"},
		{102400, "100 KiB"},
		{1048063, "1023 KiB"},
		{1048575, "1.0 MiB"},
		{5ull << 30, "5.0 GiB"},
		{UINT64_MAX, "16.0 EiB"},
	};
	char buf[TEXT_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(text_bytes(cases[i].n, buf), cases[i].text);
}

static void spans(void **state)
{
	char buf[TEXT_SIZE];

	assert_string_equal(text_span(0, buf), "0 ms");
	assert_string_equal(text_span(999, buf), "999 ms");
	assert_string_equal(text_span(1999, buf), "1 s");
	assert_string_equal(text_span(119999, buf), "119 s");
	assert_string_equal(text_span(120000, buf), "2 min");
	assert_string_equal(text_span(2 * 3600000, buf), "2 h");
	assert_string_equal(text_span(49ull * 3600000, buf), "2 d");
	assert_string_equal(text_span(UINT64_MAX, buf), "213503982334 d");
	assert_string_equal(text_us(0, buf), "-");
	assert_string_equal(text_us(999, buf), "999 us");
	assert_string_equal(text_us(1234, buf), "1.2 ms");
	assert_string_equal(text_us(250000, buf), "250 ms");
}

static void relative_times(void **state)
{
	char buf[TEXT_SIZE];

	assert_string_equal(text_since(0, 5000, buf), "-");
	assert_string_equal(text_since(4500, 5000, buf), "now");
	/* Clocks that were set back do not make ages of centuries. */
	assert_string_equal(text_since(9000, 5000, buf), "now");
	assert_string_equal(text_since(2000, 5000, buf), "3 s ago");
	assert_string_equal(text_until(0, 5000, buf), "-");
	assert_string_equal(text_until(5000, 5000, buf), "now");
	assert_string_equal(text_until(9000, 5000, buf), "in 4 s");
}

/* What @show writes; the caller frees. */
static char *written(void (*show)(FILE *out, void *arg), void *arg)
{
	FILE *f = tmpfile();
	char *text;
	long len;

	assert_non_null(f);
	show(f, arg);
	len = ftell(f);
	rewind(f);
	text = calloc((size_t)len + 1, 1);
	assert_int_equal(fread(text, 1, (size_t)len, f), len);
	fclose(f);
	return text;
}

static void print_table(FILE *out, void *arg)
{
	table_print(arg, out);
}

static void tables(void **state)
{
	static const struct column columns[] = {{"NAME"}, {"N", true}, {"NOTE"}};
	struct table t = {.columns = columns, .n_columns = 3};
	char *text;

	table_cell(&t, "%s", "a");
	table_cell(&t, "%d", 5);
	table_cell(&t, "%s", "");
	table_cell(&t, "%s", "m\xc3\xbcller");
	table_cell(&t, "%d", 12345);
	table_cell(&t, "%s", "last");
	text = written(print_table, &t);
	assert_string_equal(text, "NAME        N  NOTE\n"
				  "a           5\n"
				  "m\xc3\xbcller  12345  last\n");
	free(text);
	/* Printing empties it. */
	text = written(print_table, &t);
	assert_string_equal(text, "NAME  N  NOTE\n");
	free(text);
	/* A wide character takes two columns of a terminal. */
	table_cell(&t, "%s", "\xe8\x8a\x82\xe7\x82\xb9");
	table_cell(&t, "%d", 1);
	table_cell(&t, "%s", "x");
	table_cell(&t, "%s", "abcd");
	table_cell(&t, "%d", 2);
	table_cell(&t, "%s", "y");
	text = written(print_table, &t);
	assert_string_equal(text, "NAME  N  NOTE\n"
				  "\xe8\x8a\x82\xe7\x82\xb9  1  x\n"
				  "abcd  2  y\n");
	free(text);
}

static const char two_rules[] =
	"{\"accounting\":\"user\",\"accounting_reason\":\"no BTF\",\"rules\":["
	"{\"rule_id\":7,\"listen_port\":80,\"listen_address\":null,\"state\":\"active\","
	"\"reason\":\"\",\"targets\":2,\"targets_healthy\":1,"
	"\"current\":{\"index\":1,\"host\":\"b\",\"port\":81},\"bytes_in\":2048,\"bytes_out\":0,"
	"\"active_connections\":3,\"connections_accepted\":4,\"target_failovers_total\":1,"
	"\"per_target\":["
	"{\"index\":0,\"host\":\"a\",\"port\":81,\"health\":1,\"health_since_unix_ms\":1000,"
	"\"consecutive_failures\":3,\"next_check_unix_ms\":12000,\"last_error\":\"Broken\"},"
	"{\"index\":1,\"host\":\"b\",\"port\":81,\"health\":0,\"bytes_in\":2048}]},"
	"{\"rule_id\":9,\"listen_port\":90,\"listen_address\":\"::1\",\"state\":\"failed\","
	"\"reason\":\"port_in_use\",\"targets\":1,\"current\":null,\"per_target\":["
	"{\"index\":0,\"host\":\"c\",\"port\":1,\"drained\":true}]}]}";

struct shown {
	json_t *answer;
	struct show how;
};

static void stats(FILE *out, void *arg)
{
	const struct shown *s = arg;

	show_stats(out, s->answer, &s->how);
}

static void stats_of_rules(void **state)
{
	struct shown s = {.answer = json_loads(two_rules, 0, NULL), .how = {.now_ms = 11000}};
	char *text;

	assert_non_null(s.answer);
	text = written(stats, &s);
	assert_string_equal(
		text,
		"RULE  LISTEN    STATE                HEALTHY  GOES TO             IN  OUT  ACTIVE  ACCEPTED  FAILOVERS\n"
		"   7  *:80      active                   1/2  b:81           2.0 KiB  0 B       3         4          1\n"
		"   9  [::1]:90  failed: port_in_use        -  (all drained)      0 B  0 B       0         0          0\n"
		"accounting: user, bytes written to the sockets (no BTF)\n");
	free(text);
	json_decref(s.answer);
}

static void stats_of_targets(void **state)
{
	struct shown s = {.answer = json_loads(two_rules, 0, NULL),
			  .how = {.now_ms = 11000, .per_target = true}};
	char *text = written(stats, &s);

	assert_non_null(strstr(text, "\n      7    0  a:81       0  Failed   10 s ago      3"));
	assert_non_null(strstr(text, "in 1 s      Broken\n"));
	assert_non_null(strstr(text, "\n>     7    1  b:81       0  Healthy  "));
	assert_non_null(strstr(text, "\n      9    0  c:1        0  drained  -  "));
	assert_non_null(strstr(text, "\n> takes new connections\n"));
	free(text);
	json_decref(s.answer);
}

static void stats_with_rates(void **state)
{
	struct shown s = {.answer = json_loads(two_rules, 0, NULL), .how = {.elapsed_ms = 2000}};
	json_t *before = json_loads("{\"rules\":[{\"rule_id\":5},{\"rule_id\":7,\"bytes_in\":0,"
				    "\"bytes_out\":10}]}",
				    0, NULL);
	char *text;

	s.how.before = before;
	text = written(stats, &s);
	assert_non_null(strstr(text, "IN/s"));
	/* 2 KiB in 2 s; a counter that fell, or a rule that is new, has no rate. */
	assert_non_null(strstr(text, "1.0 KiB/s"));
	assert_null(strstr(text, "0 B/s"));
	free(text);
	json_decref(before);
	json_decref(s.answer);
}

static void no_rules(void **state)
{
	struct shown s = {.answer = json_loads("{\"accounting\":\"bpf\",\"rules\":[]}", 0, NULL)};
	char *text = written(stats, &s);

	assert_string_equal(text, "no rules\n"
				  "accounting: bpf, bytes acknowledged by the receiver\n");
	free(text);
	/* What is less with the programs of an older kernel. */
	json_object_set_new(s.answer, "accounting_reason", json_string("by the basic programs"));
	text = written(stats, &s);
	assert_string_equal(text, "no rules\n"
				  "accounting: bpf, bytes acknowledged by the receiver "
				  "(by the basic programs)\n");
	free(text);
	json_decref(s.answer);
}

static void connections(FILE *out, void *arg)
{
	show_connections(out, arg);
}

static void connections_sorted(void **state)
{
	json_t *a = json_loads("{\"connections\":["
			       "{\"rule_id\":9,\"client\":\"x:1\",\"state\":\"dialling\","
			       "\"target\":null,\"age_ms\":5},"
			       "{\"rule_id\":7,\"client\":\"y:2\",\"age_ms\":10},"
			       "{\"rule_id\":7,\"client\":\"z:3\",\"age_ms\":2000}]}",
			       0, NULL);
	char *text = written(connections, a);
	const char *at = strstr(text, "z:3");

	at = at ? strstr(at, "y:2") : NULL;
	assert_non_null(at ? strstr(at, "x:1") : NULL);
	assert_non_null(strstr(text, "dialling"));
	assert_non_null(strstr(text, "\n3 connections ("));
	free(text);
	json_decref(a);
	a = json_loads("{\"connections\":[]}", 0, NULL);
	text = written(connections, a);
	assert_string_equal(text, "0 connections\n");
	free(text);
	json_decref(a);
}

static void on_terminal(FILE *out, void *arg)
{
	show_on_terminal(out, arg, 3, 5);
}

static void terminal(void **state)
{
	char *text = written(on_terminal, (char *)"1234567\nab\n");

	assert_string_equal(text, "\033[H12345\033[K\nab\033[K\n\033[J");
	free(text);
	/* Cut at characters, and where the terminal's columns end. */
	text = written(on_terminal, (char *)"abcd\xe8\x8a\x82z\nabc\xe8\x8a\x82z\n");
	assert_string_equal(text, "\033[Habcd\033[K\nabc\xe8\x8a\x82\033[K\n\033[J");
	free(text);
	/* The last row has no newline: the screen would scroll. */
	text = written(on_terminal, (char *)"1\n2\n3\n4\n");
	assert_string_equal(text, "\033[H1\033[K\n2\033[K\n3\033[K\033[J");
	free(text);
}

/* ---- command lines ---- */

/* Runs a verb with its output thrown away. */
static int run(int argc, char **argv)
{
	int out = dup(1), err = dup(2), null = open("/dev/null", O_WRONLY), status;

	fflush(stdout);
	dup2(null, 1);
	dup2(null, 2);
	close(null);
	status = verb_run(verb_find(argv[0]), argc, argv);
	fflush(stdout);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	return status;
}

#define RUN(...) \
	run(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *), (char *[]){__VA_ARGS__, NULL})

static void command_lines(void **state)
{
	char nobody[] = "/tmp/test_verbs.nobody", socket[] = "--status-socket";

	assert_null(verb_find("--rules"));
	assert_null(verb_find("stat"));
	assert_int_equal(RUN("stats", "--help"), 0);
	assert_int_equal(RUN("stats", "x"), 2);
	assert_int_equal(RUN("stats", "-1"), 2);
	assert_int_equal(RUN("stats", "1", "2"), 2);
	assert_int_equal(RUN("stats", "18446744073709551616"), 2);
	assert_int_equal(RUN("stats", "--kill"), 2);
	assert_int_equal(RUN("stats", "--instance"), 2);
	assert_int_equal(RUN("stats", "--instance", "../x"), 2);
	assert_int_equal(RUN("drain", "1"), 2);
	assert_int_equal(RUN("drain", "1", "8"), 2);
	assert_int_equal(RUN("unpin", "--json"), 2);
	assert_int_equal(RUN("stats", socket, nobody), 1);
	assert_int_equal(RUN("stats", "7", "--json", socket, nobody), 1);
	assert_int_equal(RUN("drain", "7", "0", socket, nobody), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes),
		cmocka_unit_test(spans),
		cmocka_unit_test(relative_times),
		cmocka_unit_test(tables),
		cmocka_unit_test(stats_of_rules),
		cmocka_unit_test(stats_of_targets),
		cmocka_unit_test(stats_with_rates),
		cmocka_unit_test(no_rules),
		cmocka_unit_test(connections_sorted),
		cmocka_unit_test(terminal),
		cmocka_unit_test(command_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
