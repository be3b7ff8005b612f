// SPDX-License-Identifier: MIT
/*
 * UDP: a backend that answers without keeping anything, and clients of messages, of bulk and of idle
 * flows. In bulk the backend answers one datagram in ACK_EVERY, so that a client sends no faster than
 * what arrives, as QUIC does; what was not answered in time counts as an error.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "selftests/bench/load.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO	    104
#endif

enum {
	BATCH = 32,	     /* datagrams per call, and segments of one */
	ACK_EVERY = 16,	     /* datagrams of bulk */
	WINDOW = 64,	     /* datagrams under way, of all streams together */
	BULK_SIZE = 1200,    /* what QUIC sends at first */
	PATIENCE_MS = 100,   /* until what is under way is taken for lost */
	FLOWS_A_SOCKET = 250 /* of hold: source addresses of one socket */
};

/* What each datagram of a client begins with. */
struct head {
	char service; /* SVC_ECHO or SVC_SINK */
	char pad[3];
	uint32_t seq;
};

static int udp_socket(const struct sockaddr_in *bind_to, bool gro)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, room = 4 << 20;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (gro)
		setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
	if (bind_to && bind(fd, (const struct sockaddr *)bind_to, sizeof(*bind_to)) < 0)
		return -1;
	return fd;
}

/* One turn of the backend: at most BATCH reads, each of which may hold many segments. */
struct served {
	char buffer[BATCH][65536], control[BATCH][64];
	struct sockaddr_in from[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr in[BATCH];
};

static size_t segment_size(struct msghdr *m, size_t len)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			int size;

			memcpy(&size, CMSG_DATA(c), sizeof(size));
			return size > 0 ? (size_t)size : len;
		}
	return len;
}

static void answer(int fd, const struct sockaddr_in *to, const char *data, size_t len, size_t size)
{
	for (size_t at = 0; at < len; at += size) {
		size_t n = len - at < size ? len - at : size;
		struct head h;

		memcpy(&h, data + at, sizeof(h));
		if (h.service == SVC_SINK && h.seq % ACK_EVERY != ACK_EVERY - 1)
			continue;
		sendto(fd, data + at, h.service == SVC_SINK ? sizeof(h) : n, 0,
		       (const struct sockaddr *)to, sizeof(*to));
	}
}

static void serve_once(struct served *s, int fd)
{
	int n;

	for (int i = 0; i < BATCH; i++) {
		s->iov[i] = (struct iovec){s->buffer[i], sizeof(s->buffer[i])};
		s->in[i].msg_hdr = (struct msghdr){.msg_name = &s->from[i],
						   .msg_namelen = sizeof(s->from[i]),
						   .msg_iov = &s->iov[i],
						   .msg_iovlen = 1,
						   .msg_control = s->control[i],
						   .msg_controllen = sizeof(s->control[i])};
	}
	n = recvmmsg(fd, s->in, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		size_t len = s->in[i].msg_len;

		if (len >= sizeof(struct head))
			answer(fd, &s->from[i], s->buffer[i], len,
			       segment_size(&s->in[i].msg_hdr, len));
	}
}

int verb_udp_serve(const struct load_options *opt)
{
	struct served *s = calloc(1, sizeof(*s));
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[LOAD_PORTS_MAX];

	for (int i = 0; i < opt->n_ports; i++) {
		struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(opt->ports[i])};
		int fd = udp_socket(&at, true);

		if (fd < 0)
			return die("bind");
		net_want(epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
	}
	for (;;) {
		int n = epoll_wait(epoll, events, LOAD_PORTS_MAX, -1);

		for (int i = 0; i < n; i++)
			serve_once(s, events[i].data.fd);
	}
}

/* One client's flow. */
struct flow {
	uint64_t sent_at; /* of the last progress */
	uint32_t sent, acked;
};

struct flows {
	const struct load_options *opt;
	int epoll, *fds;
	struct flow *of; /* by fd */
	char *buffer;
	struct sample sample;
};

static void flows_open(struct flows *f, const struct load_options *opt)
{
	*f = (struct flows){.opt = opt, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	f->fds = calloc((size_t)opt->concurrency, sizeof(*f->fds));
	f->of = calloc(1 << 16, sizeof(*f->of));
	f->buffer = calloc(1, LOAD_BUFFER);
	for (int i = 0; i < opt->concurrency; i++) {
		int fd = udp_socket(NULL, false);

		if (fd < 0 || connect(fd, (const struct sockaddr *)&opt->to, sizeof(opt->to)) < 0)
			exit(die("connect"));
		f->fds[i] = fd;
		net_want(f->epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
	}
}

/* Calls @again for the flows that have waited too long, each counted as an error. */
static void flows_late(struct flows *f, uint64_t now, void (*again)(struct flows *f, int fd))
{
	for (int i = 0; i < f->opt->concurrency; i++) {
		struct flow *flow = &f->of[f->fds[i]];

		if (flow->sent == flow->acked || now < flow->sent_at + PATIENCE_MS * NS_PER_MS)
			continue;
		f->sample.errors++;
		flow->acked = flow->sent;
		again(f, f->fds[i]);
	}
}

static void ping_ask(struct flows *f, int fd)
{
	struct flow *flow = &f->of[fd];
	struct head h = {.service = SVC_ECHO, .seq = flow->sent++};

	memcpy(f->buffer, &h, sizeof(h));
	flow->sent_at = clock_mono_ns();
	send(fd, f->buffer, (size_t)f->opt->size, 0);
}

static void ping_answered(struct flows *f, int fd)
{
	struct flow *flow = &f->of[fd];
	struct head h;

	while (recv(fd, f->buffer, LOAD_BUFFER, 0) >= (ssize_t)sizeof(h)) {
		memcpy(&h, f->buffer, sizeof(h));
		if (h.seq + 1 != flow->sent || flow->acked == flow->sent)
			continue;
		flow->acked = flow->sent;
		f->sample.ops++;
		sample_latency(&f->sample, clock_mono_ns() - flow->sent_at);
		ping_ask(f, fd);
	}
}

static int flows_run(struct flows *f, void (*begin)(struct flows *f, int fd),
		     void (*readable)(struct flows *f, int fd))
{
	struct epoll_event events[64];
	uint64_t now = clock_mono_ns(), looked = now;

	sample_begin(&f->sample, f->opt);
	for (int i = 0; i < f->opt->concurrency; i++)
		begin(f, f->fds[i]);
	for (; sample_goes_on(&f->sample, now); now = clock_mono_ns()) {
		int n = epoll_wait(f->epoll, events, 64, 10);

		for (int i = 0; i < n; i++)
			readable(f, events[i].data.fd);
		if (now - looked >= 10 * NS_PER_MS) {
			looked = now;
			flows_late(f, now, begin);
		}
	}
	return sample_print(&f->sample);
}

int verb_udp_ping(const struct load_options *opt)
{
	struct flows f;

	flows_open(&f, opt);
	return flows_run(&f, ping_ask, ping_answered);
}

/* How many more datagrams a flow may have under way. */
static uint32_t bulk_room(const struct flows *f, const struct flow *flow)
{
	return flow->acked + (uint32_t)(WINDOW / f->opt->concurrency) - flow->sent;
}

/* Sends what the window has room for, by one call of segments. */
static void bulk_send(struct flows *f, int fd)
{
	struct flow *flow = &f->of[fd];
	uint32_t n = bulk_room(f, flow);
	struct head h = {.service = SVC_SINK};

	if (n > BATCH)
		n = BATCH;
	for (uint32_t i = 0; i < n; i++) {
		h.seq = flow->sent + i;
		memcpy(f->buffer + (size_t)i * BULK_SIZE, &h, sizeof(h));
	}
	if (n && send(fd, f->buffer, (size_t)n * BULK_SIZE, 0) > 0)
		flow->sent += n;
	flow->sent_at = clock_mono_ns();
}

static void bulk_acked(struct flows *f, int fd)
{
	struct flow *flow = &f->of[fd];
	struct head h;

	while (recv(fd, f->buffer, LOAD_BUFFER, 0) == (ssize_t)sizeof(h)) {
		memcpy(&h, f->buffer, sizeof(h));
		f->sample.bytes += ACK_EVERY * BULK_SIZE;
		f->sample.ops += ACK_EVERY;
		if ((int32_t)(h.seq + 1 - flow->acked) > 0)
			flow->acked = h.seq + 1;
	}
	/* In whole steps: a segment more is not worth a call. */
	if (bulk_room(f, flow) >= ACK_EVERY / 2)
		bulk_send(f, fd);
}

int verb_udp_bulk(const struct load_options *opt)
{
	int size = BULK_SIZE;
	struct flows f;

	if (opt->concurrency > WINDOW / ACK_EVERY)
		return die("too many streams for the window");
	flows_open(&f, opt);
	for (int i = 0; i < opt->concurrency; i++)
		setsockopt(f.fds[i], IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
	return flows_run(&f, bulk_send, bulk_acked);
}

/* One datagram from 127.x.y.z; every source address is a flow of its own. */
static void hold_send(int fd, const struct sockaddr_in *to, uint32_t source)
{
	struct head h = {.service = SVC_ECHO};
	struct iovec iov = {&h, sizeof(h)};
	char control[CMSG_SPACE(sizeof(struct in_pktinfo))] = {0};
	struct msghdr m = {.msg_name = (void *)to,
			   .msg_namelen = sizeof(*to),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(source)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	if (sendmsg(fd, &m, 0) < 0)
		exit(die("sendmsg"));
}

/* Opens flows on loopback and tells how many were answered; holds them until stdin ends. */
int verb_udp_hold(const struct load_options *opt)
{
	int fd = -1, answered = 0;
	char c, buffer[64];

	for (int i = 0; i < opt->concurrency; i++) {
		if (i % FLOWS_A_SOCKET == 0)
			fd = udp_socket(NULL, false);
		if (fd < 0)
			return die("socket");
		hold_send(fd, &opt->to, 0x7f010001u + (uint32_t)(i % FLOWS_A_SOCKET));
		for (uint64_t end = clock_mono_ns() + PATIENCE_MS * NS_PER_MS;
		     clock_mono_ns() < end;) {
			if (recv(fd, buffer, sizeof(buffer), 0) > 0) {
				answered++;
				break;
			}
		}
	}
	printf("{\"held\":%d}\n", answered);
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return answered == opt->concurrency ? 0 : 1;
}
