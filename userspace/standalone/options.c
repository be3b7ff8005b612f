// SPDX-License-Identifier: MIT
/* The command line of portunus-standalone. */
#include "standalone/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/instance.h"
#include "lib/base/wrap.h"

#define HELP_INDENT 32
#define AT(m)	    offsetof(struct standalone_options, m)

enum kind { TEXT, SET, OFF, NUMBER, HELP, VERSION };

static const struct {
	const char *name, *value, *help; /* without a text: not shown */
	enum kind kind;
	size_t at;
} table[] = {
	{"config", "PATH",
	 "the configuration ($PORTUNUS_STANDALONE_CONFIG, ./portunus.toml, /etc/portunus/standalone.toml); also -c",
	 TEXT, AT(config)},
	{"check", NULL, "read the file, say all that is wrong with it, and exit", SET, AT(check)},
	{"bind", NULL, "with --check: also try whether the ports can be had", SET, AT(bind)},
	{"print-rules", NULL, "write its rules as a JSON rules file, and exit", SET,
	 AT(print_rules)},
	{"log-level", "LEVEL", "error, warn, info, debug, or a filter (the file's, or warn)", TEXT,
	 AT(log_level)},
	{"log-format", "json|pretty", "how log lines look (the file's, or json)", TEXT,
	 AT(log_format)},
	{"no-stats", NULL, "no stats socket", SET, AT(no_stats)},
	{"stats-socket", "PATH",
	 "of the stats socket (the file's, or /run/portunus/standalone.sock)", TEXT,
	 AT(stats_socket)},
	{"instance", "NAME", "keep pins, lock and sockets apart from others' (standalone)", TEXT,
	 AT(edge.instance)},
	{"run-dir", "DIR", "for lock and local view, as of portunus-client", TEXT,
	 AT(edge.run_dir)},
	{"status-socket", "PATH", "of the local view (client-INSTANCE.sock in the run directory)",
	 TEXT, AT(edge.status_socket)},
	{"workers", "N", "worker threads (one per CPU)", NUMBER, AT(edge.workers)},
	{"accounting", "bpf|user", "who counts the bytes (bpf)", OFF, AT(edge.account_user)},
	{"splice", "on|off", "off: bytes are copied through user space (on)", OFF,
	 AT(edge.no_splice)},
	{"sandbox", "on|off", "off: keep all capabilities and system calls (on)", OFF,
	 AT(edge.no_sandbox)},
	{"bpffs", "DIR", "where bpffs is mounted (/sys/fs/bpf)", TEXT, AT(edge.bpffs)},
	/* Makes the environment variables count that tests steer the edge by. */
	{"test-hooks", NULL, NULL, SET, AT(edge.test_hooks)},
	{"help", NULL, "show this; also -h", HELP, 0},
	{"version", NULL, "show the version; also -V", VERSION, 0},
};
#define N_OPTIONS (sizeof(table) / sizeof(table[0]))

static void usage(void)
{
	printf("usage: portunus-standalone [-c PATH] [OPTION…]\n"
	       "       portunus-standalone stats [OPTION…]\n\n"
	       "Forwards TCP and UDP by the rules of one TOML file, without a server. SIGHUP reads the\n"
	       "file again, SIGTERM drains and stops. stats shows what a running one does.\n\noptions:\n");
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (!table[i].help)
			continue;
		printf("  --%s%s%-*s  ", table[i].name, table[i].value ? " " : "",
		       (int)(26 - strlen(table[i].name) - !!table[i].value),
		       table[i].value ? table[i].value : "");
		wrap_print(stdout, table[i].help, HELP_INDENT);
	}
}

static int flushed(void)
{
	if (!fflush(stdout))
		return 0;
	perror("error: stdout");
	return 1;
}

static int refuse_value(size_t i, const char *value)
{
	fprintf(stderr, "error: --%s takes %s, not '%s'\n", table[i].name, table[i].value, value);
	return 2;
}

/* 0, or the status to exit with. */
static int set_value(struct standalone_options *o, size_t i, const char *value)
{
	char *member = (char *)o + table[i].at, *end;
	unsigned long n;
	size_t first;

	switch (table[i].kind) {
	case TEXT:
		if (i == 0 && o->config) {
			fprintf(stderr, "error: --config is given twice; there is one file\n");
			return 2;
		}
		*(const char **)member = value;
		return 0;
	case SET:
		*(bool *)member = true;
		return 0;
	case OFF:
		first = strcspn(table[i].value, "|");
		*(bool *)member = !strcmp(value, table[i].value + first + 1);
		if (!*(bool *)member &&
		    (strlen(value) != first || strncmp(value, table[i].value, first) != 0))
			return refuse_value(i, value);
		return 0;
	case NUMBER:
		n = strtoul(value, &end, 10);
		if (*value < '0' || *value > '9' || *end || n < 1 || n > 64)
			return refuse_value(i, value);
		*(uint32_t *)member = (uint32_t)n;
		return 0;
	default:
		return 0;
	}
}

static void find_config(struct standalone_options *o)
{
	const char *named = getenv("PORTUNUS_STANDALONE_CONFIG");

	if (o->config)
		return;
	o->config = "./portunus.toml";
	if (named && *named)
		o->config = named;
	else if (access(o->config, F_OK) && !access("/etc/portunus/standalone.toml", F_OK))
		o->config = "/etc/portunus/standalone.toml";
}

static int check_values(const struct standalone_options *o, int argc, char **argv)
{
	if (optind < argc)
		fprintf(stderr, "error: '%s' is no verb and no option (try --help)\n",
			argv[optind]);
	else if (!instance_name_ok(o->edge.instance))
		fprintf(stderr, "error: --instance takes up to 32 letters, digits, '-' and '_'\n");
	else if (o->bind && !o->check)
		fprintf(stderr, "error: --bind belongs to --check\n");
	else
		return -1;
	return 2;
}

int standalone_options_parse(int argc, char **argv, struct standalone_options *o)
{
	struct option longs[N_OPTIONS + 1] = {0};
	int c, status;

	*o = (struct standalone_options){
		.edge = {.instance = "standalone", .state_dir = "", .bpffs = "/sys/fs/bpf"},
	};
	for (size_t i = 0; i < N_OPTIONS; i++)
		longs[i] = (struct option){
			.name = table[i].name,
			.has_arg = table[i].value ? required_argument : no_argument,
			.val = (int)i + 256,
		};
	while ((c = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		size_t i = c == 'c' ? 0 : (size_t)c - 256;

		if (c == '?')
			return 2;
		if (c == 'h' || (c >= 256 && table[i].kind == HELP)) {
			usage();
			return flushed();
		}
		if (c == 'V' || (c >= 256 && table[i].kind == VERSION)) {
			printf("portunus-standalone %s\n", PORTUNUS_VERSION);
			return flushed();
		}
		status = set_value(o, i, optarg);
		if (status)
			return status;
	}
	status = check_values(o, argc, argv);
	if (status < 0)
		find_config(o);
	return status;
}
