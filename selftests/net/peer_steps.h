/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SELFTESTS_PEER_STEPS_H
#define PORTUNUS_SELFTESTS_PEER_STEPS_H

/* What one connection of the scripted peer does, step by step, and how it checks what it reads. */
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A prime: a block that is lost, doubled or moved by a power of two cannot go unnoticed. */
#define PATTERN_PERIOD 1048573u
#define CHUNK	       (256u << 10)
#define ALL	       UINT64_MAX

enum kind {
	SEND,	/* n bytes of the own pattern */
	RECV,	/* n bytes of the other side's pattern, or all until its FIN */
	BACK,	/* n bytes of the own pattern (an echo's answer) */
	DUPLEX, /* send n and receive n at once */
	BOUNCE, /* send n and receive the same n back at once */
	PING,	/* n times: send m bytes, receive them back */
	ECHO,	/* send back all that comes, until FIN */
	RATE,	/* receive until FIN, n bytes a second */
	FIN,	/* shutdown(SHUT_WR) */
	RST,	/* close with SO_LINGER 0 */
	QUIET,	/* wait until all that was sent is acknowledged and nothing has come for n ms */
	HOLD,	/* wait, reading nothing, until the other side closes */
	SLEEP,	/* n ms */
	LINE,	/* wait for a line on stdin */
};

static const struct {
	const char *name;
	enum kind kind;
} kinds[] = {
	{"send", SEND}, {"recv", RECV}, {"back", BACK},	  {"duplex", DUPLEX}, {"bounce", BOUNCE},
	{"ping", PING}, {"echo", ECHO}, {"rate", RATE},	  {"fin", FIN},	      {"rst", RST},
	{"hold", HOLD}, {"line", LINE}, {"sleep", SLEEP}, {"quiet", QUIET},
};

struct step {
	const char *name;
	enum kind kind;
	uint64_t n, m;
};

/* Set once by main, then only read; the lock guards stdout and the counts. */
struct peer {
	const uint8_t *pattern; /* twice the period, so that any chunk is contiguous */
	struct step *steps;
	size_t n_steps;
	struct sockaddr_storage addr, bind;
	socklen_t addr_len, bind_len;
	bool active, brief, vary;
	int sndbuf, rcvbuf;
	unsigned timeout_s, count, parallel;
	double rate;
	uint64_t key;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned running, ok, failed;
	uint64_t sent, received;
	double *connect_ms;
};

struct conn {
	struct peer *p;
	unsigned id;
	int fd;
	uint64_t base, other; /* where in the pattern each side's stream starts */
	uint64_t sent, received;
	bool eof;
	double started, connect_ms;
	const char *why; /* NULL: all went well */
	uint8_t *buf;
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sleep_s(double s)
{
	struct timespec t = {.tv_sec = (time_t)s, .tv_nsec = (long)((s - (double)(time_t)s) * 1e9)};

	if (s > 0)
		nanosleep(&t, NULL);
}

static const char *timed_out_or(int err)
{
	switch (err) {
	case EAGAIN:
		return "timeout";
	case ECONNRESET:
		return "reset";
	case EPIPE:
		return "broken pipe";
	case ECONNREFUSED:
		return "refused";
	default:
		return strerrordesc_np(err);
	}
}

static bool fail(struct conn *c, const char *why)
{
	c->why = why;
	return false;
}

static const uint8_t *own(const struct conn *c, uint64_t offset)
{
	return c->p->pattern + (c->base + offset) % PATTERN_PERIOD;
}

static bool check(struct conn *c, uint64_t base, const uint8_t *data, size_t n)
{
	if (memcmp(c->p->pattern + (base + c->received) % PATTERN_PERIOD, data, n))
		return fail(c, "content differs");
	c->received += n;
	return true;
}

static size_t chunk(uint64_t left)
{
	return left < CHUNK ? left : CHUNK;
}

static bool send_all(struct conn *c, const uint8_t *data, size_t n)
{
	while (n) {
		ssize_t r = send(c->fd, data, n, MSG_NOSIGNAL);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return fail(c, timed_out_or(errno));
		data += r;
		n -= (size_t)r;
		c->sent += (uint64_t)r;
	}
	return true;
}

static bool send_pattern(struct conn *c, uint64_t n)
{
	while (n) {
		size_t k = chunk(n);

		if (!send_all(c, own(c, c->sent), k))
			return false;
		n -= k;
	}
	return true;
}

/* One read; *n is what came, 0 at the other side's FIN. */
static bool read_some(struct conn *c, size_t want, size_t *n)
{
	ssize_t r;

	do
		r = recv(c->fd, c->buf, want, 0);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return fail(c, timed_out_or(errno));
	c->eof = r == 0;
	*n = (size_t)r;
	return true;
}

static bool recv_pattern(struct conn *c, uint64_t base, uint64_t n)
{
	while (n) {
		size_t got;

		if (!read_some(c, chunk(n), &got))
			return false;
		if (!got)
			return n == ALL ? true : fail(c, "ended early");
		if (!check(c, base, c->buf, got))
			return false;
		if (n != ALL)
			n -= got;
	}
	return true;
}

static bool both_ways(struct conn *c, uint64_t base, uint64_t n)
{
	uint64_t out = n, in = n;

	while (out || in) {
		struct pollfd pfd = {
			.fd = c->fd,
			.events = (short)((out ? POLLOUT : 0) | (in ? POLLIN : 0)),
		};
		ssize_t r;

		if (poll(&pfd, 1, (int)c->p->timeout_s * 1000) == 0)
			return fail(c, "timeout");
		if (in && (pfd.revents & (POLLIN | POLLHUP | POLLERR))) {
			r = recv(c->fd, c->buf, chunk(in), MSG_DONTWAIT);
			if (r < 0 && errno != EAGAIN)
				return fail(c, timed_out_or(errno));
			if (r == 0)
				return fail(c, "ended early");
			if (r > 0 && !check(c, base, c->buf, (size_t)r))
				return false;
			in -= r > 0 ? (uint64_t)r : 0;
		}
		if (out && (pfd.revents & POLLOUT)) {
			r = send(c->fd, own(c, c->sent), chunk(out), MSG_DONTWAIT | MSG_NOSIGNAL);
			if (r < 0 && errno != EAGAIN)
				return fail(c, timed_out_or(errno));
			c->sent += r > 0 ? (uint64_t)r : 0;
			out -= r > 0 ? (uint64_t)r : 0;
		}
	}
	return true;
}

static bool ping(struct conn *c, uint64_t times, uint64_t size)
{
	while (times--)
		if (!send_pattern(c, size) || !recv_pattern(c, c->base, size))
			return false;
	return true;
}

static bool echo(struct conn *c)
{
	size_t n;

	do {
		if (!read_some(c, CHUNK, &n) || !send_all(c, c->buf, n))
			return false;
		c->received += n;
	} while (n);
	return true;
}

static bool recv_slowly(struct conn *c, uint64_t per_second)
{
	size_t want = chunk(per_second / 20 ? per_second / 20 : 1), n;

	do {
		if (!read_some(c, want, &n) || (n && !check(c, c->other, c->buf, n)))
			return false;
		sleep_s((double)n / (double)per_second);
	} while (n);
	return true;
}

static void tcp_info(const struct conn *c, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, info, &len);
}

static bool quiet(struct conn *c, uint64_t ms)
{
	double end = now_s() + c->p->timeout_s, since = now_s();
	struct tcp_info info;
	uint64_t before = 0;
	int queued;

	while (now_s() < end) {
		tcp_info(c, &info);
		if (ioctl(c->fd, SIOCOUTQ, &queued) || queued || info.tcpi_bytes_received != before)
			since = now_s();
		else if (now_s() - since > (double)ms / 1000)
			return true;
		before = info.tcpi_bytes_received;
		sleep_s(0.01);
	}
	return fail(c, "timeout");
}

static bool hold(struct conn *c)
{
	struct pollfd pfd = {.fd = c->fd, .events = POLLRDHUP};
	socklen_t len = sizeof(int);
	int err = 0;

	if (poll(&pfd, 1, (int)c->p->timeout_s * 1000) == 0)
		return fail(c, "timeout");
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	return err ? fail(c, timed_out_or(err)) : true;
}

static bool line(void)
{
	char ch;

	while (read(STDIN_FILENO, &ch, 1) == 1)
		if (ch == '\n')
			return true;
	return true;
}

static bool step(struct conn *c, const struct step *s)
{
	struct linger hard = {.l_onoff = 1};

	switch (s->kind) {
	case SEND:
		return send_pattern(c, s->n);
	case RECV:
		return recv_pattern(c, c->other, s->n);
	case BACK:
		return recv_pattern(c, c->base, s->n);
	case DUPLEX:
		return both_ways(c, c->other, s->n);
	case BOUNCE:
		return both_ways(c, c->base, s->n);
	case PING:
		return ping(c, s->n, s->m);
	case ECHO:
		return echo(c);
	case RATE:
		return recv_slowly(c, s->n);
	case FIN:
		return shutdown(c->fd, SHUT_WR) ? fail(c, timed_out_or(errno)) : true;
	case RST:
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		return true;
	case QUIET:
		return quiet(c, s->n == ALL ? 100 : s->n);
	case HOLD:
		return hold(c);
	case SLEEP:
		sleep_s((double)s->n / 1000);
		return true;
	case LINE:
		return line();
	}
	return false;
}

static uint64_t number(const char *text, char **end)
{
	uint64_t n = strtoull(text, end, 10);

	switch (**end) {
	case 'k':
		n <<= 10;
		++*end;
		break;
	case 'm':
		n <<= 20;
		++*end;
		break;
	case 'g':
		n <<= 30;
		++*end;
		break;
	}
	return n;
}

static bool step_parse(char *text, struct step *s)
{
	char *arg = strchr(text, ':'), *end = text;

	if (arg)
		*arg++ = '\0';
	*s = (struct step){.name = text, .n = ALL, .m = 64};
	if (arg)
		s->n = number(arg, &end);
	if (arg && *end == ':')
		s->m = number(end + 1, &end);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(text, kinds[i].name)) {
			s->kind = kinds[i].kind;
			return !arg || !*end;
		}
	return false;
}

#endif
