// SPDX-License-Identifier: MIT
/* The backend: one thread, every service on every port (load.h has the list). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "selftests/bench/load.h"

/* By fd. service is 0 for a free entry, LISTENS for a listener, UNKNOWN before the first byte. */
struct peer {
	uint8_t service;
	uint8_t port; /* index of the port it came in by */
};

enum { LISTENS = 1, UNKNOWN = 2, PROXY_HEADER = 28 /* bytes, IPv4 */ };

struct backend {
	int epoll;
	struct peer *peers;
	size_t n_peers;
	char *buffer;
};

static void drop(struct backend *b, int fd)
{
	b->peers[fd].service = 0;
	close(fd);
}

/* A request-response client never has more than one message on its way, so a short write is an error. */
static bool echo(struct backend *b, int fd, ssize_t n)
{
	return send(fd, b->buffer, (size_t)n, MSG_NOSIGNAL) == n;
}

/* Reads what there is; false when the connection is to be closed. */
static bool readable(struct backend *b, int fd)
{
	struct peer *p = &b->peers[fd];
	/* The sink asks the kernel to discard: the endpoints shall not be what is measured. */
	int flags = p->service == SVC_SINK ? MSG_TRUNC : 0;
	ssize_t n = recv(fd, b->buffer, p->service == UNKNOWN ? 4096 : LOAD_BUFFER, flags);
	char name = (char)('0' + p->port);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	if (p->service == UNKNOWN && b->buffer[0] == SVC_PROXY) {
		n -= PROXY_HEADER;
		if (n <= 0)
			return n == 0;
		memmove(b->buffer, b->buffer + PROXY_HEADER, (size_t)n);
	}
	if (p->service == UNKNOWN) {
		p->service = (uint8_t)b->buffer[0];
		if (p->service == SVC_SOURCE)
			net_want(b->epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT);
	}
	switch (p->service) {
	case SVC_NAME:
	case SVC_HELLO:
		send(fd, &name, 1, MSG_NOSIGNAL);
		return false;
	case SVC_ECHO:
		return echo(b, fd, n);
	case SVC_SOURCE:
	case SVC_SINK:
		return true;
	default:
		return false;
	}
}

static bool writable(struct backend *b, int fd)
{
	for (int turn = 0; turn < 4; turn++) {
		ssize_t n = send(fd, b->buffer, LOAD_BUFFER, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN;
		if (n < LOAD_BUFFER)
			break;
	}
	return true;
}

static void accept_all(struct backend *b, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if ((size_t)fd >= b->n_peers) {
			close(fd);
			continue;
		}
		b->peers[fd] = (struct peer){.service = UNKNOWN, .port = b->peers[listener].port};
		net_want(b->epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
		if (!readable(b, fd))
			drop(b, fd);
	}
}

static int serve(struct backend *b)
{
	struct epoll_event events[256];

	for (;;) {
		int n = epoll_wait(b->epoll, events, 256, -1);

		if (n < 0 && errno != EINTR)
			return die("epoll_wait");
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			uint32_t what = events[i].events;
			bool keep = true;

			if (b->peers[fd].service == LISTENS) {
				accept_all(b, fd);
				continue;
			}
			if (what & (EPOLLIN | EPOLLHUP | EPOLLERR))
				keep = readable(b, fd);
			if (keep && (what & EPOLLOUT))
				keep = writable(b, fd);
			if (!keep)
				drop(b, fd);
		}
	}
}

int verb_serve(const struct load_options *opt)
{
	struct backend b = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
	struct rlimit files;

	if (b.epoll < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return die("set-up");
	b.n_peers = files.rlim_cur < 1 << 20 ? files.rlim_cur : 1 << 20;
	b.peers = calloc(b.n_peers, sizeof(*b.peers));
	b.buffer = calloc(1, LOAD_BUFFER);
	if (!b.peers || !b.buffer)
		return die("memory");
	for (int i = 0; i < opt->n_ports; i++) {
		int fd = net_listen(opt->ports[i]);

		if (fd < 0) {
			errno = -fd;
			return die("listen");
		}
		b.peers[fd] = (struct peer){.service = LISTENS, .port = (uint8_t)i};
		net_want(b.epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
	}
	return serve(&b);
}
