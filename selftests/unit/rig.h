/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SELFTESTS_UNIT_RIG_H
#define PORTUNUS_SELFTESTS_UNIT_RIG_H

/*
 * What the tests of the data path share: a worker's loop that the test itself runs, rules, and real
 * sockets on loopback at both ends of it.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "edge/loop/loop.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"
#include "lib/rule/rule.h"

struct rig_wait {
	struct timer timer;
	struct loop *loop;
	bool (*met)(void *arg);
	void *arg;
	uint64_t until_ns;
	bool was_met;
};

static inline void rig_look(struct timer *t)
{
	struct rig_wait *w = container_of(t, struct rig_wait, timer);

	w->was_met = w->met && w->met(w->arg);
	if (w->was_met || clock_mono_ns() >= w->until_ns)
		loop_stop(w->loop);
	else
		timer_set(&w->loop->timers, t, w->loop->now_ns + NS_PER_MS);
}

/* Runs @l until @met says so, looking every millisecond; false when @ms went by before that. */
static inline bool rig_until(struct loop *l, unsigned ms, bool (*met)(void *arg), void *arg)
{
	struct rig_wait w = {
		.timer.fire = rig_look,
		.loop = l,
		.met = met,
		.arg = arg,
		.until_ns = clock_mono_ns() + ms * NS_PER_MS,
	};

	l->stop = false;
	l->now_ns = clock_mono_ns();
	timer_set(&l->timers, &w.timer, l->now_ns);
	loop_run(l);
	timer_clear(&l->timers, &w.timer);
	l->now_ns = clock_mono_ns();
	return w.was_met;
}

static inline void rig_spin(struct loop *l, unsigned ms)
{
	rig_until(l, ms, NULL, NULL);
}

/* ---- sockets ---- */

/* A listening socket on 127.0.0.1; its port in @port. */
static inline int rig_listen(uint16_t *port, int backlog)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static inline int rig_connect(uint16_t port, bool nonblock)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (nonblock ? SOCK_NONBLOCK : 0), 0);

	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		assert_int_equal(errno, EINPROGRESS);
	return fd;
}

/* Two connected TCP sockets; both ends do not block. */
static inline void rig_tcp_pair(int fd[2])
{
	uint16_t port;
	int l = rig_listen(&port, 1);

	fd[0] = rig_connect(port, false);
	fd[1] = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd[1] >= 0);
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	close(l);
}

/* A port that refuses: bound, so that nobody else gets it, and not listening. */
static inline int rig_refusing(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

/* A port that answers no SYN: a listener whose queue is full. */
struct rig_hole {
	uint16_t port;
	int listener, filler[4];
};

static inline void rig_hole_open(struct rig_hole *h)
{
	h->listener = rig_listen(&h->port, 0);
	for (int i = 0; i < 4; i++)
		h->filler[i] = rig_connect(h->port, true);
	usleep(5000);
}

static inline void rig_hole_close(struct rig_hole *h)
{
	for (int i = 0; i < 4; i++)
		close(h->filler[i]);
	close(h->listener);
}

static inline void rig_reset(int fd)
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* ---- bytes ---- */

static inline void rig_pattern(uint8_t *buf, size_t len, uint64_t at)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)((at + i) * 31 >> 3);
}

/* Writes the pattern until @total or until the socket is full; advances @at. */
static inline void rig_write(int fd, uint64_t *at, uint64_t total)
{
	uint8_t buf[16384];

	while (*at < total) {
		size_t len = total - *at < sizeof(buf) ? (size_t)(total - *at) : sizeof(buf);
		ssize_t n;

		rig_pattern(buf, len, *at);
		n = send(fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			return;
		*at += (uint64_t)n;
	}
}

/*
 * Reads and checks what there is, up to @most bytes; advances @at. Returns 1 while more may come, 0
 * at a FIN, -errno at an error.
 */
static inline int rig_read(int fd, uint64_t *at, size_t most)
{
	uint8_t buf[16384], want[16384];

	while (most) {
		ssize_t n = recv(fd, buf, most < sizeof(buf) ? most : sizeof(buf), MSG_DONTWAIT);

		if (n == 0)
			return 0;
		if (n < 0)
			return errno == EAGAIN ? 1 : -errno;
		rig_pattern(want, (size_t)n, *at);
		assert_memory_equal(buf, want, (size_t)n);
		*at += (uint64_t)n;
		most -= (size_t)n;
	}
	return 1;
}

/* ---- rules ---- */

/* A rule of 127.0.0.1 with these target ports, in this order. The caller frees it. */
static inline struct rule *rig_rule(uint64_t id, uint16_t listen_port, unsigned n,
				    const uint16_t *ports)
{
	struct rule *r = rule_new(n);

	assert_non_null(r);
	r->id = id;
	r->protocol = RULE_TCP;
	r->listen_port = listen_port;
	for (unsigned i = 0; i < n; i++) {
		r->targets[i].host = strdup("127.0.0.1");
		r->targets[i].port = ports[i];
	}
	return r;
}

#endif
