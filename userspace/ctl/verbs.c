// SPDX-License-Identifier: MIT
/* The verbs of portunus-client: one table, their command lines and their help. */
#include "ctl/verbs.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/call.h"
#include "ctl/run.h"
#include "ctl/top.h"
#include "lib/base/instance.h"
#include "lib/rule/rule.h"

enum option_id {
	OPT_INSTANCE,
	OPT_RUN_DIR,
	OPT_SOCKET,
	OPT_HELP,
	OPT_JSON,
	OPT_PER_TARGET,
	OPT_PER_PORT,
	OPT_WATCH,
	OPT_KILL,
	OPT_BPFFS,
	OPT_OUT,
	OPTIONS,
};

static const struct {
	const char *name, *value, *help;
} options[OPTIONS] = {
	[OPT_INSTANCE] = {"instance", "NAME", "the edge that was started with this --instance"},
	[OPT_RUN_DIR] = {"run-dir", "DIR", "the edge that was started with this --run-dir"},
	[OPT_SOCKET] = {"status-socket", "PATH",
			"the edge's socket (client[-NAME].sock in the run directory)"},
	[OPT_HELP] = {"help", NULL, "this text"},
	[OPT_JSON] = {"json", NULL, "exact figures as one line of JSON"},
	[OPT_PER_TARGET] = {"per-target", NULL, "a row for each target"},
	[OPT_PER_PORT] = {"per-port", NULL, "a row for each port of a range that was used"},
	[OPT_WATCH] = {"watch", NULL, "once per second, with rates"},
	[OPT_KILL] = {"kill", NULL, "end its open connections too"},
	[OPT_BPFFS] = {"bpffs", "PATH", "where the BPF file system is mounted (/sys/fs/bpf)"},
	[OPT_OUT] = {"out", "PATH",
		     "where the bundle goes (~/.config/portunus/client.bundle.json)"},
};

struct verb {
	const char *name, *arguments, *help;
	int min_arguments, max_arguments;
	unsigned takes; /* options, a bit each */
	int (*run)(const struct verb_call *call);
};

#define ALWAYS (1u << OPT_INSTANCE | 1u << OPT_RUN_DIR | 1u << OPT_SOCKET | 1u << OPT_HELP)

static const struct verb verbs[] = {
	{"stats", "[RULE]", "bytes, connections and health of each rule, exact as of now", 0, 1,
	 ALWAYS | 1u << OPT_JSON | 1u << OPT_PER_TARGET | 1u << OPT_PER_PORT | 1u << OPT_WATCH,
	 verb_stats},
	{"connections", "", "the open connections: age, bytes, RTT, retransmissions", 0, 0,
	 ALWAYS | 1u << OPT_JSON, verb_connections},
	{"flows", "[RULE]", "the UDP flows: age, idle time, datagrams and bytes; 1000 at most", 0,
	 1, ALWAYS | 1u << OPT_JSON, verb_flows},
	{"status", "", "version, accounting and relay mode, descriptors, memory", 0, 0,
	 ALWAYS | 1u << OPT_JSON, verb_status},
	{"top", "", "a view of rules, rates and targets on the terminal; ? there tells its keys", 0,
	 0, ALWAYS, verb_top},
	{"metrics", "", "all figures of the edge in the text format of Prometheus", 0, 0, ALWAYS,
	 verb_metrics},
	{"drain", "RULE INDEX", "a target takes no new connections (until undrain or restart)", 2,
	 2, ALWAYS | 1u << OPT_KILL, verb_drain},
	{"undrain", "RULE INDEX", "a drained target takes new connections again", 2, 2, ALWAYS,
	 verb_undrain},
	{"failback", "RULE",
	 "new connections go to the best target again (of a rule with failback \"manual\")", 1, 1,
	 ALWAYS, verb_failback},
	{"enroll", "URI", "become a server's edge: redeem its one-time code, write the bundle", 1,
	 1, 1u << OPT_OUT | 1u << OPT_HELP, verb_enroll},
	{"unpin", "", "remove the maps and programs that a stopped edge left in the kernel", 0, 0,
	 ALWAYS | 1u << OPT_BPFFS, verb_unpin},
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static void print_help(const struct verb *v)
{
	printf("portunus-client %s%s%s: %s\n\n", v->name, *v->arguments ? " " : "", v->arguments,
	       v->help);
	for (unsigned i = 0; i < OPTIONS; i++)
		if (v->takes & 1u << i)
			printf("  --%s%s%-*s%s\n", options[i].name, options[i].value ? " " : "",
			       20 - (int)strlen(options[i].name) - (options[i].value != NULL),
			       options[i].value ? options[i].value : "", options[i].help);
}

static int usage(const struct verb *v, const char *what, const char *which)
{
	fprintf(stderr, "error: %s%s%s (try: portunus-client %s --help)\n", what, *which ? " " : "",
		which, v->name);
	return 2;
}

static bool read_number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	/* strtoull would take a sign and blanks. */
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return !*end && !errno && *out <= max;
}

static void set_option(struct verb_call *call, int id, const char *value, const char **socket)
{
	switch (id) {
	case OPT_INSTANCE:
		call->instance = value;
		break;
	case OPT_RUN_DIR:
		call->run_dir = value;
		break;
	case OPT_SOCKET:
		*socket = value;
		break;
	case OPT_JSON:
		call->json = true;
		break;
	case OPT_PER_TARGET:
		call->per_target = true;
		break;
	case OPT_PER_PORT:
		call->per_port = true;
		break;
	case OPT_WATCH:
		call->watch = true;
		break;
	case OPT_KILL:
		call->kill = true;
		break;
	case OPT_BPFFS:
		call->bpffs = value;
		break;
	case OPT_OUT:
		call->out = value;
		break;
	}
}

/* Everything but what the options said. 0, or the status to exit with. */
static int read_arguments(const struct verb *v, struct verb_call *call, int n, char **argument)
{
	uint64_t index;

	if (n < v->min_arguments)
		return usage(v, "missing argument, expected", v->arguments);
	if (n > v->max_arguments)
		return usage(v, "unexpected argument", argument[v->max_arguments]);
	if (v->run == verb_enroll) {
		call->uri = argument[0];
		return 0;
	}
	if (n > 0 && !read_number(argument[0], RULE_ID_MAX, &call->rule_id))
		return usage(v, "RULE is the number of a rule, not", argument[0]);
	call->has_rule = n > 0;
	if (n > 1 && !read_number(argument[1], RULE_TARGETS_MAX - 1, &index))
		return usage(v, "INDEX is the row of a target, 0 to 7, not", argument[1]);
	if (n > 1)
		call->index = (unsigned)index;
	return 0;
}

int verb_run(const struct verb *v, int argc, char **argv)
{
	struct verb_call call = {.name = v->name, .instance = "", .bpffs = "/sys/fs/bpf"};
	struct option known[OPTIONS + 1] = {0};
	const char *socket = NULL;
	unsigned n = 0;
	int id, status;

	for (int i = 0; i < OPTIONS; i++)
		if (v->takes & 1u << i)
			known[n++] = (struct option){.name = options[i].name,
						     .has_arg = options[i].value != NULL,
						     .val = i + 1};
	optind = 0;
	opterr = 0;
	while ((id = getopt_long(argc, argv, ":", known, NULL)) > 0) {
		if (id == '?')
			return usage(v, "unknown option", argv[optind - 1]);
		if (id == ':')
			return usage(v, "missing value for", argv[optind - 1]);
		if (id == OPT_HELP + 1) {
			print_help(v);
			return 0;
		}
		set_option(&call, id - 1, optarg, &socket);
	}
	if (!instance_name_ok(call.instance))
		return usage(v, "--instance takes up to 32 letters, digits, - and _, not",
			     call.instance);
	if (socket && strlen(socket) >= sizeof(call.socket))
		return usage(v, "--status-socket is longer than a socket's path can be:", socket);
	if (socket)
		strcpy(call.socket, socket);
	else if (instance_find_socket(call.run_dir, call.instance, call.socket,
				      sizeof(call.socket)))
		return usage(v, "the run directory's path is too long",
			     call.run_dir ? call.run_dir : "");
	status = read_arguments(v, &call, argc - optind, argv + optind);
	return status ? status : v->run(&call);
}
