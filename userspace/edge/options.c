// SPDX-License-Identifier: MIT
/* The daemon's options, as data. */
#include "edge/options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/status/metrics_http.h"
#include "lib/base/instance.h"
#include "lib/base/wrap.h"

#define HELP_INDENT 40

enum kind { TEXT, NUMBER, SET, MODE, HELP, VERSION };

struct option_desc {
	const char *name;
	enum kind kind;
	size_t member;
	uint32_t min, max;
	const char *value, *help;
};

#define AT(m) offsetof(struct options, m)

static const struct option_desc table[] = {
	{"rules", TEXT, AT(rules), 0, 0, "FILE",
	 "serve the rules of FILE, a JSON array in the shape of POST /v1/rules"},
	{"bundle", TEXT, AT(bundle), 0, 0, "PATH",
	 "serve the rules of the server in this credential bundle (default: the one that enroll wrote)"},
	{"check", SET, AT(check), 0, 0, NULL,
	 "read the rules, say what is wrong with them, and exit"},
	{"instance", TEXT, AT(instance), 0, 0, "NAME",
	 "keep pins, lock and socket apart from those of other instances"},
	{"workers", NUMBER, AT(workers), 1, 64, "N", "worker threads (default: one per CPU)"},
	{"shutdown-drain-timeout-secs", NUMBER, AT(drain_secs), 0, 86400, "N",
	 "how long open connections may go on after a stop (30)"},
	{"drain-timeout", NUMBER, AT(drain_secs), 0, 86400, "N", "the same"},
	{"reconnect-initial-delay-ms", NUMBER, AT(reconnect_initial_ms), 1, 3600000, "N",
	 "longest wait before the first attempt to reconnect; doubles (500)"},
	{"reconnect-max-delay-secs", NUMBER, AT(reconnect_max_secs), 1, 86400, "N",
	 "longest wait before any attempt (30)"},
	{"stats-report-interval-secs", NUMBER, AT(report_secs), 1, 3600, "N",
	 "between reports to the server (5)"},
	{"accounting", MODE, AT(account_user), 0, 0, "bpf|user",
	 "who counts the bytes (bpf; without BPF the edge counts by itself and says so)"},
	{"splice", MODE, AT(no_splice), 0, 0, "on|off",
	 "off: bytes are copied through user space (on)"},
	{"sni-miss-alert", MODE, AT(no_sni_alert), 0, 0, "on|off",
	 "off: a client whose server name leads to no rule is closed without a TLS alert (on)"},
	{"sandbox", MODE, AT(no_sandbox), 0, 0, "on|off",
	 "off: keep all capabilities and system calls (on)"},
	{"run-dir", TEXT, AT(run_dir), 0, 0, "DIR",
	 "for lock and socket ($RUNTIME_DIRECTORY, /run/portunus, or $XDG_RUNTIME_DIR/portunus)"},
	{"status-socket", TEXT, AT(status_socket), 0, 0, "PATH",
	 "of the local view (client.sock in the run directory)"},
	{"metrics-listen", TEXT, AT(metrics_listen), 0, 0, "WHERE",
	 "serve GET /metrics to Prometheus at ADDRESS:PORT or on a socket, /PATH (nowhere)"},
	{"state-dir", TEXT, AT(state_dir), 0, 0, "DIR",
	 "for what outlives a restart (/var/lib/portunus-client)"},
	{"bpffs", TEXT, AT(bpffs), 0, 0, "DIR", "where bpffs is mounted (/sys/fs/bpf)"},
	/* Not shown: makes the environment variables count that tests steer it by. */
	{"test-hooks", SET, AT(test_hooks), 0, 0, NULL, NULL},
	{"help", HELP, 0, 0, 0, NULL, "show this"},
	{"version", VERSION, 0, 0, 0, NULL, "show the version"},
};
#define N_OPTIONS (sizeof(table) / sizeof(table[0]))

static void usage(void)
{
	printf("usage: portunus-client [--bundle PATH] [OPTION…]\n"
	       "       portunus-client --rules FILE [OPTION…]\n"
	       "       portunus-client VERB [ARGUMENT…]\n\n"
	       "Forwards TCP connections to the best living target of each rule, by the rules of\n"
	       "a server or of a file. SIGHUP re-reads bundle or rules, SIGTERM drains and stops.\n\noptions:\n");
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (!table[i].help)
			continue;
		printf("  --%s%s%-*s  ", table[i].name, table[i].value ? " " : "",
		       (int)(34 - strlen(table[i].name) - !!table[i].value),
		       table[i].value ? table[i].value : "");
		wrap_print(stdout, table[i].help, HELP_INDENT);
	}
	printf("\nverbs (VERB --help tells more):\n"
	       "  enroll, stats, connections, flows, status, top, metrics, drain, undrain, unpin\n");
}

/* A full disk or a closed pipe must not look like success. */
static int flushed(void)
{
	if (!fflush(stdout))
		return 0;
	perror("error: stdout");
	return 1;
}

static int set_value(struct options *o, const struct option_desc *d, const char *value)
{
	char *member = (char *)o + d->member, *end;
	unsigned long n;

	switch (d->kind) {
	case TEXT:
		*(const char **)member = value;
		return 0;
	case SET:
		*(bool *)member = true;
		return 0;
	case MODE:
		n = strcspn(d->value, "|");
		*(bool *)member = !strcmp(value, d->value + n + 1);
		if (*(bool *)member || (strlen(value) == n && !strncmp(value, d->value, n)))
			return 0;
		break;
	case NUMBER:
		errno = 0;
		n = strtoul(value, &end, 10);
		if (errno || end == value || *end || *value == '-' || n < d->min || n > d->max) {
			fprintf(stderr,
				"error: --%s takes a whole number from %u to %u, not '%s'\n",
				d->name, d->min, d->max, value);
			return -EINVAL;
		}
		*(uint32_t *)member = (uint32_t)n;
		return 0;
	case HELP:
	case VERSION:
		return 0;
	}
	fprintf(stderr, "error: --%s takes %s, not '%s'\n", d->name, d->value, value);
	return -EINVAL;
}

int options_parse(int argc, char **argv, struct options *o)
{
	struct option longs[N_OPTIONS + 1] = {0};
	int i;

	*o = (struct options){
		.instance = "",
		.state_dir = "/var/lib/portunus-client",
		.bpffs = "/sys/fs/bpf",
		.drain_secs = 30,
		.reconnect_initial_ms = 500,
		.reconnect_max_secs = 30,
		.report_secs = 5,
	};
	for (size_t k = 0; k < N_OPTIONS; k++)
		longs[k] = (struct option){.name = table[k].name,
					   .has_arg = table[k].value ? required_argument
								     : no_argument};
	for (;;) {
		int c = getopt_long(argc, argv, "", longs, &i);

		if (c == -1)
			break;
		if (c == '?')
			return 2;
		if (table[i].kind == HELP) {
			usage();
			return flushed();
		}
		if (table[i].kind == VERSION) {
			printf("portunus-client %s\n", PORTUNUS_VERSION);
			return flushed();
		}
		if (set_value(o, &table[i], optarg) < 0)
			return 2;
	}
	if (optind < argc) {
		fprintf(stderr, "error: '%s' is no verb and no option (try --help)\n",
			argv[optind]);
		return 2;
	}
	if (!instance_name_ok(o->instance)) {
		fprintf(stderr, "error: --instance takes up to 32 letters, digits, '-' and '_'\n");
		return 2;
	}
	if (o->metrics_listen && !metrics_http_place_ok(o->metrics_listen)) {
		fprintf(stderr,
			"error: --metrics-listen takes ADDRESS:PORT or an absolute path, not '%s'\n",
			o->metrics_listen);
		return 2;
	}
	if (o->rules && o->bundle) {
		fprintf(stderr, "error: --rules and --bundle exclude each other: rules come from a "
				"file or from a server\n");
		return 2;
	}
	if (o->check && !o->rules) {
		fprintf(stderr, "error: --check reads the file of --rules FILE\n");
		return 2;
	}
	return -1;
}
