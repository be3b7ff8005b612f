// SPDX-License-Identifier: MIT
/* The benchmark's backend and clients: one program, one verb each, a sample as one JSON line. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "selftests/bench/load.h"

static const struct verb {
	const char *name, *help;
	int (*run)(const struct load_options *);
	bool client;
} verbs[] = {
	{"serve", "--ports P,…              be the backend on these ports", verb_serve, false},
	{"bulk", "--concurrency N [--upload] move bytes through N streams", verb_bulk, true},
	{"conn", "--concurrency N [--hello NAME] connect, ask, be answered, close", verb_conn,
	 true},
	{"ping", "--concurrency N --size B exchange messages of B bytes", verb_ping, true},
	{"hold", "--concurrency N          hold N idle connections until stdin ends", verb_hold,
	 true},
	{"paced", "--rate R [--count N]     connections on a schedule, each one listed", verb_paced,
	 true},
	{"udp-serve", "--ports P,…           be the backend of UDP on these ports", verb_udp_serve,
	 false},
	{"udp-ping", "--concurrency N --size B exchange datagrams of B bytes", verb_udp_ping, true},
	{"udp-bulk", "--concurrency N        move datagrams of 1,200 bytes", verb_udp_bulk, true},
	{"udp-hold", "--concurrency N        open N flows on loopback, hold them until stdin ends",
	 verb_udp_hold, true},
	{"await", "                         print when a port begins to accept", verb_await, true},
};

static int usage(void)
{
	fputs("usage: load VERB [--to ADDRESS:PORT] [--seconds S] [--warm-up S] [--pids PID,…] …\n",
	      stderr);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(stderr, "  %-9s %s\n", verbs[i].name, verbs[i].help);
	return 2;
}

static bool parse_to(char *text, struct sockaddr_in *to)
{
	char *colon = strrchr(text, ':');

	if (!colon)
		return false;
	*colon = '\0';
	to->sin_family = AF_INET;
	to->sin_port = htons((uint16_t)atoi(colon + 1));
	return inet_pton(AF_INET, text, &to->sin_addr) == 1;
}

/* Reads "1,2,3"; returns how many, or -1 when there are more than @max or something else. */
static int parse_list(char *text, long *out, int max)
{
	int n = 0;

	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		char *end;

		if (n == max)
			return -1;
		out[n] = strtol(word, &end, 10);
		if (*end || out[n++] <= 0)
			return -1;
	}
	return n;
}

static bool parse(int argc, char **argv, struct load_options *opt)
{
	static const struct option names[] = {
		{"to", 1, NULL, 't'},	       {"ports", 1, NULL, 'p'},	  {"pids", 1, NULL, 'P'},
		{"concurrency", 1, NULL, 'c'}, {"count", 1, NULL, 'n'},	  {"size", 1, NULL, 's'},
		{"rate", 1, NULL, 'r'},	       {"warm-up", 1, NULL, 'w'}, {"seconds", 1, NULL, 'd'},
		{"upload", 0, NULL, 'u'},      {"hello", 1, NULL, 'h'},	  {0},
	};
	long list[LOAD_PIDS_MAX];
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 't':
			if (!parse_to(optarg, &opt->to))
				return false;
			break;
		case 'p':
			opt->n_ports = parse_list(optarg, list, LOAD_PORTS_MAX);
			for (int i = 0; i < opt->n_ports; i++)
				opt->ports[i] = (uint16_t)list[i];
			break;
		case 'P':
			opt->n_pids = parse_list(optarg, list, LOAD_PIDS_MAX);
			for (int i = 0; i < opt->n_pids; i++)
				opt->pids[i] = (pid_t)list[i];
			break;
		case 'c':
			opt->concurrency = atoi(optarg);
			break;
		case 'n':
			opt->count = atoi(optarg);
			break;
		case 's':
			opt->size = atoi(optarg);
			break;
		case 'r':
			opt->rate = atof(optarg);
			break;
		case 'w':
			opt->warm_up = atof(optarg);
			break;
		case 'd':
			opt->seconds = atof(optarg);
			break;
		case 'u':
			opt->upload = true;
			break;
		case 'h':
			opt->hello = optarg;
			break;
		default:
			return false;
		}
	}
	return optind == argc && opt->n_ports >= 0 && opt->n_pids >= 0 && opt->concurrency > 0 &&
	       opt->size > 0 && opt->size <= LOAD_BUFFER && opt->count >= 0;
}

int main(int argc, char **argv)
{
	struct load_options opt = {.concurrency = 1, .size = 64, .warm_up = 0.3, .seconds = 1};
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		if (!parse(argc - 1, argv + 1, &opt))
			return usage();
		if (verbs[i].client ? !opt.to.sin_family : !opt.n_ports)
			return usage();
		return verbs[i].run(&opt);
	}
	return usage();
}
