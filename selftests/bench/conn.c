// SPDX-License-Identifier: MIT
/*
 * Clients of short connections: connect, send one byte, read one byte and the end, close. The
 * backend closes first, so the waiting (TIME_WAIT) is on its side of each leg and never uses up the
 * clients' or the proxy's ports. Latency runs from the call of connect() to the answered byte.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "selftests/bench/load.h"

enum { FDS_MAX = 1 << 16, PATIENCE_SECS = 15 };

/* What every client asks. */
static uint8_t request[HELLO_MAX] = {SVC_NAME};
static size_t request_len = 1;

static void choose_request(const struct load_options *opt)
{
	if (opt->hello)
		request_len = hello_make(request, opt->hello);
}

static bool ask(int fd)
{
	return send(fd, request, request_len, MSG_NOSIGNAL) == (ssize_t)request_len;
}

/* One connection by blocking calls; its latency in ns, or 0 when it failed. */
static uint64_t one_by_one(const struct load_options *opt)
{
	uint64_t start = clock_mono_ns(), answered = 0;
	char answer[8];
	int err, fd = net_connect(&opt->to, true, &err);

	if (fd < 0)
		return 0;
	if (!err && ask(fd) && recv(fd, answer, 1, 0) == 1) {
		answered = clock_mono_ns();
		if (recv(fd, answer, sizeof(answer), 0) != 0)
			answered = 0;
	}
	close(fd);
	return answered ? answered - start : 0;
}

static int conn_one(const struct load_options *opt)
{
	struct sample s;

	sample_begin(&s, opt);
	while (sample_goes_on(&s, clock_mono_ns())) {
		uint64_t ns = one_by_one(opt);

		if (!ns) {
			s.errors++;
			continue;
		}
		s.ops++;
		sample_latency(&s, ns);
	}
	return sample_print(&s);
}

/* One connection of conn_many() or verb_paced(), by its fd. */
struct client {
	uint64_t started, answered;
	int row; /* paced: its place in the list */
	char answer;
};

/* Starts one; returns the fd or -errno. The event loop sees EPOLLOUT when it is connected. */
static int client_start(struct client *clients, int epoll, const struct load_options *opt)
{
	uint64_t now = clock_mono_ns();
	int err, fd = net_connect(&opt->to, false, &err);
	bool connected = fd >= 0 && !err && ask(fd);

	if (fd < 0)
		return -err;
	if (fd >= FDS_MAX || (!connected && err != EINPROGRESS)) {
		close(fd);
		return -(err ? err : EMFILE);
	}
	clients[fd] = (struct client){.started = now};
	net_want(epoll, EPOLL_CTL_ADD, fd, connected ? EPOLLIN : EPOLLOUT);
	return fd;
}

/* Goes on with one that has an event: 1 when it is through, 0 when not yet, -errno when it failed. */
static int client_event(struct client *c, int epoll, int fd, uint32_t events)
{
	char bytes[8];
	ssize_t n;

	if (events & EPOLLOUT) {
		int err = 0;
		socklen_t len = sizeof(err);

		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err || !ask(fd))
			return -(err ? err : EPIPE);
		net_want(epoll, EPOLL_CTL_MOD, fd, EPOLLIN);
		return 0;
	}
	n = recv(fd, bytes, sizeof(bytes), 0);
	if (n > 0 && !c->answered) {
		c->answered = clock_mono_ns();
		c->answer = bytes[0];
		n = recv(fd, bytes, sizeof(bytes), 0);
	}
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return c->answered ? 1 : -ENODATA;
}

static int conn_many(const struct load_options *opt)
{
	struct client *clients = calloc(FDS_MAX, sizeof(*clients));
	int epoll = epoll_create1(EPOLL_CLOEXEC), active = 0;
	struct epoll_event events[256];
	struct sample s;

	if (!clients || epoll < 0)
		return die("set-up");
	sample_begin(&s, opt);
	while (sample_goes_on(&s, clock_mono_ns())) {
		int n;

		for (; active < opt->concurrency; active++) {
			if (client_start(clients, epoll, opt) < 0) {
				s.errors++;
				break;
			}
		}
		n = epoll_wait(epoll, events, 256, 100);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			int done = client_event(&clients[fd], epoll, fd, events[i].events);

			if (!done)
				continue;
			if (done > 0) {
				s.ops++;
				sample_latency(&s, clients[fd].answered - clients[fd].started);
			} else {
				s.errors++;
			}
			close(fd);
			active--;
		}
	}
	free(clients);
	return sample_print(&s);
}

int verb_conn(const struct load_options *opt)
{
	choose_request(opt);
	return opt->concurrency == 1 ? conn_one(opt) : conn_many(opt);
}

/* What became of one paced connection. */
struct outcome {
	uint64_t due, started, latency; /* ns */
	int error;
	char answer;
};

struct pace {
	const struct load_options *opt;
	struct client *clients;
	struct outcome *rows;
	int epoll, started, finished, n;
	uint64_t begin;
};

static void pace_finish(struct pace *p, int row, int error)
{
	p->rows[row].error = error;
	p->finished++;
}

/* Starts all that are due; returns how long nothing is due, in ms. */
static int pace_start(struct pace *p)
{
	while (p->started < p->n) {
		bool serial = p->opt->rate <= 0;
		uint64_t now = clock_mono_ns(), due = now;
		int fd;

		if (serial && p->finished < p->started)
			return 100;
		if (!serial)
			due = p->begin + (uint64_t)(p->started * (NS_PER_SEC / p->opt->rate));
		if (due > now)
			return (int)((due - now) / NS_PER_MS); /* early rather than late */
		fd = client_start(p->clients, p->epoll, p->opt);
		p->rows[p->started] = (struct outcome){.due = due, .started = clock_mono_ns()};
		if (fd < 0) {
			pace_finish(p, p->started++, -fd);
			continue;
		}
		p->rows[p->started].started = p->clients[fd].started;
		p->clients[fd].row = p->started++;
	}
	return 100;
}

static void pace_event(struct pace *p, int fd, uint32_t events)
{
	struct client *c = &p->clients[fd];
	struct outcome *row = &p->rows[c->row];
	int done = client_event(c, p->epoll, fd, events);

	if (!done)
		return;
	if (c->answered)
		row->latency = c->answered - c->started;
	row->answer = c->answer;
	pace_finish(p, c->row, done > 0 ? 0 : -done);
	close(fd);
}

static void pace_print(const struct pace *p)
{
	printf("{\"rows\":[");
	for (int i = 0; i < p->n; i++) {
		const struct outcome *o = &p->rows[i];

		printf("%s\n[%.6f,%.6f,%.3f,\"%c\",%d]", i ? "," : "", (double)o->due / NS_PER_SEC,
		       (double)o->started / NS_PER_SEC, (double)o->latency / NS_PER_MS,
		       o->answer ? o->answer : '-', o->error);
	}
	printf("]}\n");
}

/*
 * An open loop: connection k starts at its own time, however the ones before it fare, so a stall
 * shows in every client that it would have met. Prints [due s, start s, latency ms, answer, errno].
 */
int verb_paced(const struct load_options *opt)
{
	int n = opt->count ? opt->count : (int)(opt->rate * opt->seconds);
	struct pace p = {.opt = opt, .n = n, .begin = clock_mono_ns()};
	struct epoll_event events[256];
	uint64_t give_up;

	p.epoll = epoll_create1(EPOLL_CLOEXEC);
	p.clients = calloc(FDS_MAX, sizeof(*p.clients));
	p.rows = calloc((size_t)n + 1, sizeof(*p.rows));
	if (p.epoll < 0 || !p.clients || !p.rows)
		return die("set-up");
	give_up = p.begin + PATIENCE_SECS * NS_PER_SEC;
	while (p.finished < n && clock_mono_ns() < give_up) {
		int wait_ms = pace_start(&p);
		int got = epoll_wait(p.epoll, events, 256, wait_ms);

		for (int i = 0; i < got; i++)
			pace_event(&p, events[i].data.fd, events[i].events);
		if (p.started < n || got > 0)
			give_up = clock_mono_ns() + PATIENCE_SECS * NS_PER_SEC;
	}
	for (int i = 0; i < n; i++)
		if (!p.rows[i].error && !p.rows[i].answer)
			p.rows[i].error = ETIMEDOUT;
	pace_print(&p);
	free(p.rows);
	free(p.clients);
	return 0;
}

/* Tries to connect until it succeeds, and prints when that was (CLOCK_MONOTONIC, seconds). */
int verb_await(const struct load_options *opt)
{
	uint64_t give_up = clock_mono_ns() + PATIENCE_SECS * NS_PER_SEC;

	puts("{\"ready\":true}");
	fflush(stdout);
	while (clock_mono_ns() < give_up) {
		int err, fd = net_connect(&opt->to, true, &err);
		uint64_t now = clock_mono_ns();

		if (fd >= 0)
			close(fd);
		if (fd >= 0 && !err) {
			printf("{\"at\":%.6f}\n", (double)now / NS_PER_SEC);
			return 0;
		}
		usleep(200);
	}
	fputs("load: nothing accepted\n", stderr);
	return 1;
}
