// SPDX-License-Identifier: MIT
/* The privileged parent of `serve --edge`: starts the server half, and keeps an edge running beside it. */
#include "server/run/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/instance.h"
#include "lib/base/log.h"
#include "server/run/edge_process.h"
#include "server/run/local_edge.h"
#include "server/run/pidfd.h"
#include "server/run/privilege.h"

#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 30000
#define STEADY_MS      30000 /* an edge that ran for this long begins with the shortest wait again */

/* Owned by supervisor_run(). Descriptors are -1 when there is none. */
struct supervisor {
	const struct supervisor_config *config;
	struct edge_program program;
	char run_dir[INSTANCE_DIR_MAX]; /* of the edge's lock */
	char data_dir[PATH_MAX], bundle[PATH_MAX + 32];
	struct run_as user;
	sigset_t caught, before;
	int signals, news;
	pid_t server, edge;
	int server_fd, edge_fd; /* pidfds */
	bool edge_is_child;
	bool asked;			     /* to stop */
	bool wanted;			     /* the bundle is good: there has to be an edge */
	uint64_t edge_since_ns, start_at_ns; /* start_at_ns 0: not waiting */
	unsigned backoff_ms;
	int status; /* of the server half */
};

/* ---- the edge ---- */

static void watch_edge(struct supervisor *s, pid_t pid, bool child)
{
	s->edge = pid;
	s->edge_fd = pidfd_of(pid);
	s->edge_is_child = child;
	s->edge_since_ns = clock_mono_ns();
	s->start_at_ns = 0;
}

static void retry_edge(struct supervisor *s)
{
	s->start_at_ns = clock_mono_ns() + s->backoff_ms * NS_PER_MS;
	s->backoff_ms = s->backoff_ms * 2 < BACKOFF_MAX_MS ? s->backoff_ms * 2 : BACKOFF_MAX_MS;
}

/* One that runs already and is of this data directory. Returns whether somebody has the instance. */
static bool adopt_edge(struct supervisor *s)
{
	pid_t pid = instance_holder(s->run_dir, s->config->instance);

	if (!pid)
		return false;
	if (pid > 0 && edge_process_is_ours(pid, s->bundle)) {
		watch_edge(s, pid, false);
		/* It may have ended since, and its number gone to somebody else. */
		if (s->edge_fd >= 0 && instance_holder(s->run_dir, s->config->instance) == pid) {
			log_event(LOG_INFO, "edge.adopted", LOGF_INT("pid", pid));
			return true;
		}
		if (s->edge_fd >= 0)
			close(s->edge_fd);
		s->edge_fd = -1;
		s->edge = 0;
	} else if (pid > 0) {
		log_event(LOG_ERROR, "edge.instance_taken", LOGF_INT("pid", pid),
			  LOGF_STR("instance", s->config->instance),
			  LOGF_STR("advice", "a portunus-client that is not of this data directory "
					     "runs; stop it, or use --edge-instance"));
	}
	retry_edge(s);
	return true;
}

static void start_edge(struct supervisor *s)
{
	pid_t pid;

	s->start_at_ns = 0;
	if (adopt_edge(s))
		return;
	pid = edge_process_start(&s->program, s->bundle, s->config->instance, &s->before);
	if (pid < 0) {
		log_event(LOG_ERROR, "edge.start_failed", LOGF_STR("error", strerror(-pid)));
		retry_edge(s);
		return;
	}
	watch_edge(s, pid, true);
	log_event(LOG_INFO, "edge.spawned", LOGF_INT("pid", pid),
		  LOGF_STR("program", s->program.path));
}

static void signal_edge(struct supervisor *s, int sig)
{
	if (s->edge_fd >= 0)
		pidfd_signal(s->edge_fd, sig);
}

static void on_edge_end(struct supervisor *s)
{
	uint64_t lived_ns = clock_mono_ns() - s->edge_since_ns;
	int status = 0;

	close(s->edge_fd);
	s->edge_fd = -1;
	if (s->edge_is_child)
		waitpid(s->edge, &status, 0);
	log_event(s->asked ? LOG_INFO : LOG_WARN, "edge.ended", LOGF_INT("pid", s->edge),
		  LOGF_INT("exit_status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
		  LOGF_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
		  LOGF_FLAG("status_known", s->edge_is_child));
	s->edge = 0;
	if (lived_ns > STEADY_MS * NS_PER_MS)
		s->backoff_ms = BACKOFF_MIN_MS;
	if (!s->asked)
		retry_edge(s);
}

/* ---- the server half ---- */

/* In the child; does not return. */
static void be_server(struct supervisor *s, int news, pid_t parent)
{
	char why[512];
	int rc = 1;

	close(s->signals);
	/* A Ctrl-C is the parent's, who passes it on: once, not twice. */
	setpgid(0, 0);
	sigprocmask(SIG_SETMASK, &s->before, NULL);
	if (run_as_become(&s->user, s->data_dir, why, sizeof(why))) {
		fprintf(stderr, "serve failed: %s\n", why);
		exit(rc);
	}
	/* After the change of ids, which clears it. A server half without its parent would keep the
	 * store from the next one. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		rc = s->config->serve(s->config->arg, s->data_dir, s->bundle, news);
	exit(rc);
}

static int start_server(struct supervisor *s)
{
	pid_t parent = getpid();
	int news[2];

	if (pipe2(news, O_CLOEXEC))
		return -errno;
	s->server = fork();
	if (!s->server) {
		close(news[0]);
		be_server(s, news[1], parent);
	}
	close(news[1]);
	s->news = news[0];
	if (s->server < 0)
		return -errno;
	s->server_fd = pidfd_of(s->server);
	return s->server_fd < 0 ? s->server_fd : 0;
}

static void on_server_end(struct supervisor *s)
{
	close(s->server_fd);
	s->server_fd = -1;
	waitpid(s->server, &s->status, 0);
	s->wanted = false;
	s->start_at_ns = 0;
	if (s->asked && s->config->stop_edge)
		signal_edge(s, SIGTERM);
	else if (s->edge)
		log_event(LOG_INFO, "edge.left_running", LOGF_INT("pid", s->edge),
			  LOGF_STR("advice", "it goes on forwarding; the next serve --edge takes "
					     "it over, SIGTERM to it drains and stops it"));
}

/* ---- news ---- */

static void on_news(struct supervisor *s)
{
	char kind;
	ssize_t n = read(s->news, &kind, 1);

	close(s->news);
	s->news = -1;
	if (n != 1)
		return;
	s->wanted = true;
	start_edge(s);
	if (s->edge_is_child || !s->edge)
		return; /* it reads the bundle by itself */
	/* One reads the bundle again and connects without waiting; the other makes room for the next. */
	signal_edge(s, kind == LOCAL_EDGE_REPLACED ? SIGTERM : SIGHUP);
}

static void on_signal(struct supervisor *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		if (s->server_fd >= 0)
			pidfd_signal(s->server_fd, SIGHUP);
		return;
	}
	s->asked = true;
	/* While the edge drains: a second one ends that at once. */
	if (s->server_fd >= 0)
		pidfd_signal(s->server_fd, SIGTERM);
	else
		signal_edge(s, SIGTERM);
}

/* ---- life ---- */

static int timeout_ms(const struct supervisor *s)
{
	uint64_t now = clock_mono_ns();

	if (!s->start_at_ns)
		return -1;
	return s->start_at_ns <= now ? 0 : (int)((s->start_at_ns - now) / NS_PER_MS) + 1;
}

static bool busy(const struct supervisor *s)
{
	return s->server_fd >= 0 || (s->asked && s->config->stop_edge && s->edge_fd >= 0);
}

static void run(struct supervisor *s)
{
	while (busy(s)) {
		struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN},
				       {.fd = s->news, .events = POLLIN},
				       {.fd = s->edge_fd, .events = POLLIN},
				       {.fd = s->server_fd, .events = POLLIN}};

		if (poll(fds, 4, timeout_ms(s)) < 0 && errno != EINTR)
			return;
		if (fds[0].revents)
			on_signal(s);
		if (fds[1].revents)
			on_news(s);
		if (fds[2].revents && s->edge_fd == fds[2].fd)
			on_edge_end(s);
		if (fds[3].revents)
			on_server_end(s);
		if (s->wanted && !s->asked && s->edge_fd < 0 && !timeout_ms(s))
			start_edge(s);
	}
}

/* Whatever can be wrong is said before anything is started. */
static int prepare(struct supervisor *s, char *why, size_t why_size)
{
	const struct supervisor_config *c = s->config;
	pid_t holder;
	int err;

	if (geteuid()) {
		snprintf(why, why_size,
			 "--edge needs root, for the edge; the server half gives it up (--user). "
			 "Without root: serve, and portunus-client beside it");
		return -EPERM;
	}
	err = edge_process_find(c->program, &s->program, why, why_size);
	if (!err)
		err = run_as_choose(c->user, c->data_dir, &s->user, why, why_size);
	if (!err)
		err = run_as_own(&s->user, c->data_dir, s->data_dir, why, why_size);
	if (err)
		return err;
	snprintf(s->bundle, sizeof(s->bundle), "%s/" LOCAL_EDGE_BUNDLE, s->data_dir);
	err = instance_run_dir(NULL, s->run_dir);
	if (err)
		return err;
	holder = instance_holder(s->run_dir, c->instance);
	if (holder > 0 && !edge_process_is_ours(holder, s->bundle)) {
		snprintf(why, why_size,
			 "another portunus-client (pid %d) runs as instance '%s' and is not of "
			 "%s; stop it, or give this one a name of its own with --edge-instance",
			 (int)holder, *c->instance ? c->instance : "default", s->data_dir);
		return -EBUSY;
	}
	return 0;
}

static int start(struct supervisor *s)
{
	sigemptyset(&s->caught);
	sigaddset(&s->caught, SIGTERM);
	sigaddset(&s->caught, SIGINT);
	sigaddset(&s->caught, SIGHUP);
	sigprocmask(SIG_BLOCK, &s->caught, &s->before);
	s->signals = signalfd(-1, &s->caught, SFD_CLOEXEC);
	if (s->signals < 0)
		return -errno;
	log_event(LOG_INFO, "server.user", LOGF_STR("user", s->user.name),
		  LOGF_UINT("uid", s->user.uid), LOGF_STR("data_dir", s->data_dir));
	if (!strcmp(s->user.name, "nobody"))
		log_event(LOG_WARN, "server.user_shared",
			  LOGF_STR("advice", "other programs may run as nobody too and could read "
					     "the data directory; make a user, like " SERVER_USER
					     ", chown the directory to it while no server runs"));
	return start_server(s);
}

int supervisor_run(const struct supervisor_config *config)
{
	struct supervisor s = {.config = config,
			       .signals = -1,
			       .news = -1,
			       .server_fd = -1,
			       .edge_fd = -1,
			       .backoff_ms = BACKOFF_MIN_MS};
	char why[PATH_MAX + 512] = "";
	int err = prepare(&s, why, sizeof(why));

	if (!err)
		err = start(&s);
	if (err) {
		fprintf(stderr, "serve failed: %s\n", *why ? why : strerror(-err));
		return err == -EINVAL ? 2 : 1;
	}
	run(&s);
	return WIFSIGNALED(s.status) ? 128 + WTERMSIG(s.status) : WEXITSTATUS(s.status);
}
