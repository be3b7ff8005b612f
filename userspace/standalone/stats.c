// SPDX-License-Identifier: MIT
/* The verb stats: what a running portunus-standalone does, once or on a terminal. */
#include "standalone/stats.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "standalone/settings.h"
#include "standalone/live.h"
#include "standalone/once.h"
#include "view/lines.h"

#define ONCE_MS 10000

struct stats_call {
	const char *socket;
	char path[PATH_MAX]; /* of the socket, where the default is not taken */
	bool once;
	const char *format; /* "json", "text" or "table"; NULL: json */
};

static int usage(void)
{
	printf("usage: portunus-standalone stats [--socket PATH] [--once [--text | --format FORMAT]]\n\n"
	       "Shows what a running portunus-standalone does, on the terminal; ? there tells the keys.\n\n"
	       "options:\n"
	       "  --socket PATH    its stats socket (/run/portunus/standalone.sock)\n"
	       "  --once           print the figures of now, and end\n"
	       "  --text           with --once: a line for each rule, for people and scripts\n"
	       "  --format FORMAT  with --once: json, text or table (json)\n"
	       "  --help           show this\n");
	return fflush(stdout) ? 1 : 0;
}

/* -1 to go on, or the status to exit with. */
static int parse(int argc, char **argv, struct stats_call *call)
{
	static const struct option longs[] = {
		{"socket", required_argument, NULL, 's'}, {"once", no_argument, NULL, 'o'},
		{"text", no_argument, NULL, 't'},	  {"format", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},	  {0},
	};
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			call->socket = optarg;
			break;
		case 'o':
			call->once = true;
			break;
		case 't':
			call->format = "text";
			break;
		case 'f':
			call->format = optarg;
			break;
		case 'h':
			return usage();
		default:
			return 2;
		}
	}
	if (optind < argc)
		fprintf(stderr, "error: unexpected argument '%s'\n", argv[optind]);
	else if (call->format && !call->once)
		fprintf(stderr, "error: --text and --format belong to --once\n");
	else if (call->format && strcmp(call->format, "json") && strcmp(call->format, "text") &&
		 strcmp(call->format, "table"))
		fprintf(stderr, "error: --format takes json, text or table, not '%s'\n",
			call->format);
	else
		return -1;
	return 2;
}

/* An ordinary user's daemon may have its socket in his own directory. */
static void find_socket(struct stats_call *call)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	if (call->socket)
		return;
	call->socket = SETTINGS_SOCKET;
	if (!dir || !*dir || !access(call->socket, F_OK))
		return;
	snprintf(call->path, sizeof(call->path), "%s/portunus/standalone.sock", dir);
	if (!access(call->path, F_OK))
		call->socket = call->path;
}

/* Waits for one more line. 0 or -errno; -ETIMEDOUT. */
static int next_line(struct lines *l, uint64_t until_ns, json_t **line)
{
	for (;;) {
		struct pollfd fd = {.fd = l->fd, .events = POLLIN};
		uint64_t now = clock_mono_ns();
		int rc = lines_next(l, line);

		if (rc)
			return rc < 0 ? rc : 0;
		if (now >= until_ns)
			return -ETIMEDOUT;
		poll(&fd, 1, (int)((until_ns - now) / NS_PER_MS) + 1);
	}
}

static int fail(const struct stats_call *call, int err)
{
	fprintf(stderr, "error: stats --once: %s: %s\n", call->socket,
		err == -EBADMSG	     ? "what came is no line of JSON"
		: err == -ECONNRESET ? "the daemon has ended the connection"
				     : strerror(-err));
	return 2;
}

static int once(const struct stats_call *call)
{
	const uint64_t until = clock_mono_ns() + ONCE_MS * NS_PER_MS;
	json_t *hello = NULL, *snapshot = NULL;
	struct lines l;
	int rc = lines_open(&l, call->socket);

	if (!rc)
		rc = next_line(&l, until, &hello);
	if (!rc && json_integer_value(json_object_get(hello, "v")) != 1)
		rc = -EPROTONOSUPPORT;
	if (!rc)
		rc = next_line(&l, until, &snapshot);
	if (rc)
		rc = fail(call, rc);
	else
		rc = once_print(hello, snapshot, call->format ? call->format : "json");
	json_decref(hello);
	json_decref(snapshot);
	lines_close(&l);
	return rc;
}

int stats_run(int argc, char **argv)
{
	struct stats_call call = {0};
	int status = parse(argc, argv, &call);

	if (status >= 0)
		return status;
	find_socket(&call);
	return call.once ? once(&call) : live_run(call.socket);
}
