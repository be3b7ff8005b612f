// SPDX-License-Identifier: MIT
/* The verbs themselves: what each asks the daemon, or does without it. */
#include "ctl/run.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "edge/account/unpin.h"
#include "edge/kernelrelay/programs.h"
#include "edge/control/enroll.h"
#include "ctl/ask.h"
#include "ctl/call.h"
#include "ctl/show.h"
#include "lib/base/clock.h"
#include "lib/base/instance.h"

/* A full disk or a closed pipe must not look like success. */
static int flushed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	fprintf(stderr, "error: stdout: %s\n", strerror(errno));
	return 1;
}

/* The daemon's own line. */
static int print_raw(const struct verb_call *call, json_t *request)
{
	char *text = verb_ask(call, request);

	if (!text)
		return 1;
	fputs(text, stdout);
	free(text);
	return flushed();
}

/* ---- stats ---- */

static json_t *stats_request(const struct verb_call *call)
{
	json_t *q = json_pack("{s:s, s:b, s:b}", "verb", "stats", "per_target", call->per_target,
			      "per_port", call->per_port);

	if (q && call->has_rule)
		json_object_set_new(q, "rule_id", json_integer((json_int_t)call->rule_id));
	return q;
}

static void redraw(const char *text)
{
	struct winsize ws = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0 || !ws.ws_row || !ws.ws_col) {
		ws.ws_row = 24;
		ws.ws_col = 80;
	}
	show_on_terminal(stdout, text, ws.ws_row, ws.ws_col);
}

static int show_watched(const json_t *answer, const struct show *how, bool tty)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f) {
		fprintf(stderr, "error: out of memory\n");
		return 1;
	}
	show_stats(f, answer, how);
	fclose(f);
	if (tty)
		redraw(text);
	else
		printf("%s\n", text);
	free(text);
	return flushed();
}

/* False when the operator has seen enough (SIGINT, SIGTERM; both blocked). */
static bool wait_until(uint64_t mono_ns, const sigset_t *enough)
{
	uint64_t now = clock_mono_ns(), left = mono_ns > now ? mono_ns - now : 0;
	struct timespec t = {.tv_sec = (time_t)(left / NS_PER_SEC),
			     .tv_nsec = (long)(left % NS_PER_SEC)};

	return sigtimedwait(enough, NULL, &t) < 0;
}

/* Once per second until interrupted, or until the daemon is gone. */
static int watch_stats(const struct verb_call *call)
{
	struct show how = {.per_target = call->per_target, .per_port = call->per_port};
	uint64_t asked = 0, due = clock_mono_ns();
	bool tty = isatty(STDOUT_FILENO);
	json_t *before = NULL;
	sigset_t enough;
	int status = 0;

	sigemptyset(&enough);
	sigaddset(&enough, SIGINT);
	sigaddset(&enough, SIGTERM);
	sigprocmask(SIG_BLOCK, &enough, NULL);
	if (tty && !call->json)
		fputs("\033[2J", stdout);
	for (; !status && wait_until(due, &enough); due += NS_PER_SEC) {
		uint64_t last = asked;
		json_t *answer;

		if (call->json) {
			status = print_raw(call, stats_request(call));
			continue;
		}
		answer = verb_ask_json(call, stats_request(call));
		asked = clock_mono_ns();
		if (!answer) {
			status = 1;
			break;
		}
		how.before = before;
		how.elapsed_ms = (asked - last) / NS_PER_MS;
		how.now_ms = clock_wall_ms();
		status = show_watched(answer, &how, tty);
		json_decref(before);
		before = answer;
	}
	if (tty && !call->json)
		putchar('\n');
	json_decref(before);
	return status;
}

int verb_stats(const struct verb_call *call)
{
	struct show how = {.per_target = call->per_target, .per_port = call->per_port};
	json_t *answer;

	if (call->watch)
		return watch_stats(call);
	if (call->json)
		return print_raw(call, stats_request(call));
	answer = verb_ask_json(call, stats_request(call));
	if (!answer)
		return 1;
	how.now_ms = clock_wall_ms();
	show_stats(stdout, answer, &how);
	json_decref(answer);
	return flushed();
}

/* ---- connections, status ---- */

static int ask_and_show(const struct verb_call *call, void (*show)(FILE *out, const json_t *answer))
{
	json_t *request = json_pack("{s:s}", "verb", call->name), *answer;

	if (call->json)
		return print_raw(call, request);
	answer = verb_ask_json(call, request);
	if (!answer)
		return 1;
	show(stdout, answer);
	json_decref(answer);
	return flushed();
}

int verb_connections(const struct verb_call *call)
{
	return ask_and_show(call, show_connections);
}

int verb_flows(const struct verb_call *call)
{
	json_t *request = json_pack("{s:s}", "verb", call->name), *answer;

	if (call->has_rule && request)
		json_object_set_new(request, "rule_id", json_integer((json_int_t)call->rule_id));
	if (call->json)
		return print_raw(call, request);
	answer = verb_ask_json(call, request);
	if (!answer)
		return 1;
	show_flows(stdout, answer);
	json_decref(answer);
	return flushed();
}

int verb_status(const struct verb_call *call)
{
	return ask_and_show(call, show_status);
}

/* ---- metrics ---- */

int verb_metrics(const struct verb_call *call)
{
	char *text = verb_ask(call, json_pack("{s:s}", "verb", call->name));
	size_t len = text ? strlen(text) : 0;
	/* Half of it would look like rules that are gone. */
	bool whole = len >= 6 && !strcmp(text + len - 6, "# EOF\n");

	if (text && !whole)
		fprintf(stderr, "error: portunus-client ended in the middle of its answer\n");
	if (whole)
		fputs(text, stdout);
	free(text);
	return whole ? flushed() : 1;
}

/* ---- drain, undrain ---- */

int verb_drain(const struct verb_call *call)
{
	json_t *answer = verb_ask_json(call,
				       json_pack("{s:s, s:I, s:i, s:b}", "verb", call->name,
						 "rule_id", (json_int_t)call->rule_id, "index",
						 (int)call->index, "kill", call->kill));
	const char *host = "";
	int port = 0, drained = 0;
	json_int_t active = 0;

	if (!answer)
		return 1;
	json_unpack(answer, "{s:s, s:i, s:b, s:I}", "host", &host, "port", &port, "drained",
		    &drained, "active_connections", &active);
	printf("rule %" PRIu64 " target %u (%s:%d) %s new connections", call->rule_id, call->index,
	       host, port, drained ? "takes no" : "takes");
	if (drained && active)
		printf(call->kill ? "; ends %lld that %s open"
				  : "; %lld %s still open (--kill ends them)",
		       (long long)active, active == 1 ? "is" : "are");
	putchar('\n');
	json_decref(answer);
	return flushed();
}

int verb_undrain(const struct verb_call *call)
{
	return verb_drain(call);
}

/* ---- failback ---- */

int verb_failback(const struct verb_call *call)
{
	json_t *answer = verb_ask_json(call, json_pack("{s:s, s:I}", "verb", call->name, "rule_id",
						       (json_int_t)call->rule_id));
	const char *host = NULL, *way = "auto";
	int port = 0;

	if (!answer)
		return 1;
	json_unpack(answer, "{s:{s:s, s:i}}", "current", "host", &host, "port", &port);
	json_unpack(answer, "{s:s}", "failback", &way);
	printf("rule %" PRIu64, call->rule_id);
	if (host)
		printf(": new connections go to %s:%d", host, port);
	else
		printf(": all targets are drained");
	puts(strcmp(way, "manual") ? " (failback is automatic: there was nothing to do)" : "");
	json_decref(answer);
	return flushed();
}

/* ---- unpin ---- */

static int refuse_unpin(const struct verb_call *call, int pid)
{
	fprintf(stderr,
		"error: portunus-client runs%s%s, and counts with what is pinned; stop it first",
		*call->instance ? " as instance " : "", call->instance);
	if (pid)
		fprintf(stderr, " (pid %d)", pid);
	fputc('\n', stderr);
	return 1;
}

static void say_pins_error(const struct verb_call *call, int err, const char *holder)
{
	if (err == -EBUSY)
		fprintf(stderr, "error: %s counts with the pins in %s/portunus; stop it first\n",
			holder, call->bpffs);
	else if (err == -EINVAL)
		fprintf(stderr, "error: %s/portunus is not in a BPF file system\n", call->bpffs);
	else
		fprintf(stderr, "error: pins in %s/portunus: %s%s\n", call->bpffs, strerror(-err),
			err == -EPERM || err == -EACCES ? "; try again as root" : "");
}

int verb_unpin(const struct verb_call *call)
{
	char elsewhere[128];
	char dir[INSTANCE_DIR_MAX];
	pid_t holder;
	int lock, n, kernel;

	if (verb_daemon_lives(call))
		return refuse_unpin(call, 0);
	/* Held meanwhile, so that none starts in between. */
	lock = instance_run_dir(call->run_dir, dir);
	if (!lock)
		lock = instance_lock(dir, call->instance, &holder);
	if (lock == -EBUSY)
		return refuse_unpin(call, (int)holder);
	if (lock < 0) {
		fprintf(stderr, "error: lock in %s: %s\n", dir, strerror(-lock));
		return 1;
	}
	kernel = relay_unpin(call->bpffs, call->instance);
	n = account_unpin(call->bpffs, call->instance, elsewhere, sizeof(elsewhere));
	close(lock);
	if (n < 0) {
		say_pins_error(call, n, elsewhere);
		return 1;
	}
	if (kernel)
		printf("the kernel relay is off; connections that it had are cut\n");
	if (n)
		printf("%d pins removed; their counters are gone\n", n);
	else if (!kernel)
		printf("nothing is pinned\n");
	return flushed();
}

/* ---- enroll ---- */

int verb_enroll(const struct verb_call *call)
{
	int status = enroll_with(call->uri, call->out);

	return status ? status : flushed();
}
