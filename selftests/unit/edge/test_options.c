// SPDX-License-Identifier: MIT
/* The daemon's command line: defaults, every kind of option, and what is refused. */
#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "edge/options.h"

/* Parses a command line given as one text; what it writes to stdout and stderr goes to @said. */
static char said[8192];

static int parse(const char *line, struct options *o)
{
	static char words[512];
	char *argv[32] = {(char *)"portunus-client"}, *save = NULL;
	int argc = 1, out = dup(1), err = dup(2), pipefd[2], status;
	ssize_t n;

	snprintf(words, sizeof(words), "%s", line);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	assert_int_equal(pipe(pipefd), 0);
	fcntl(pipefd[0], F_SETFL, O_NONBLOCK);
	fflush(stdout);
	dup2(pipefd[1], 1);
	dup2(pipefd[1], 2);
	optind = 0;
	status = options_parse(argc, argv, o);
	fflush(stdout);
	dup2(out, 1);
	dup2(err, 2);
	n = read(pipefd[0], said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = '\0';
	close(pipefd[0]);
	close(pipefd[1]);
	close(out);
	close(err);
	return status;
}

static void test_defaults(void **state)
{
	struct options o;

	assert_int_equal(parse("", &o), -1);
	assert_null(o.rules);
	assert_string_equal(o.instance, "");
	assert_string_equal(o.state_dir, "/var/lib/portunus-client");
	assert_string_equal(o.bpffs, "/sys/fs/bpf");
	assert_null(o.status_socket);
	assert_int_equal(o.workers, 0);
	assert_int_equal(o.drain_secs, 30);
	assert_false(o.account_user);
	assert_false(o.check);
}

static void test_values(void **state)
{
	struct options o;

	assert_int_equal(parse("--rules r.json --check --instance a_B-9 --workers 64 "
			       "--accounting user --status-socket /s --state-dir /d --bpffs /b "
			       "--shutdown-drain-timeout-secs 5",
			       &o),
			 -1);
	assert_string_equal(o.rules, "r.json");
	assert_true(o.check);
	assert_string_equal(o.instance, "a_B-9");
	assert_int_equal(o.workers, 64);
	assert_true(o.account_user);
	assert_string_equal(o.status_socket, "/s");
	assert_string_equal(o.state_dir, "/d");
	assert_string_equal(o.bpffs, "/b");
	assert_int_equal(o.drain_secs, 5);

	assert_int_equal(parse("--splice off --sandbox off --run-dir /r", &o), -1);
	assert_true(o.no_splice && o.no_sandbox);
	assert_string_equal(o.run_dir, "/r");
	assert_int_equal(parse("--splice on --sandbox on", &o), -1);
	assert_false(o.no_splice || o.no_sandbox);

	assert_int_equal(parse("--drain-timeout=0 --accounting=bpf", &o), -1);
	assert_int_equal(o.drain_secs, 0);
	assert_false(o.account_user);
}

/* Each is refused with one line that names the option. */
static void test_refused(void **state)
{
	static const struct {
		const char *line, *names;
	} bad[] = {
		{"--workers 0", "--workers"},
		{"--workers 65", "--workers"},
		{"--workers -1", "--workers"},
		{"--workers 2x", "--workers"},
		{"--workers 99999999999999999999", "--workers"},
		{"--drain-timeout 86401", "--drain-timeout"},
		{"--accounting maybe", "--accounting"},
		{"--accounting bp", "--accounting"},
		{"--sandbox o", "--sandbox"},
		{"--splice on|off", "--splice"},
		{"--instance a/b", "--instance"},
		{"--instance abcdefghijklmnopqrstuvwxyz0123456", "--instance"},
		{"--nonsense", "nonsense"},
		{"--rules", "rules"},
		{"--rules r nonsense", "nonsense"},
	};
	struct options o;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse(bad[i].line, &o), 2);
		assert_non_null(strstr(said, bad[i].names));
		assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	}
}

static void test_help_and_version(void **state)
{
	struct options o;

	assert_int_equal(parse("--help", &o), 0);
	assert_non_null(strstr(said, "--shutdown-drain-timeout-secs N"));
	assert_non_null(strstr(said, "--rules FILE"));
	assert_int_equal(parse("--version", &o), 0);
	assert_non_null(strstr(said, PORTUNUS_VERSION));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_help_and_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
