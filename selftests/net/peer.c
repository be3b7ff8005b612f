// SPDX-License-Identifier: MIT
/*
 * A scripted TCP peer: each connection, accepted or made, runs the same list of steps, checks every
 * byte it reads against a pattern, and ends with one JSON line that also has its TCP_INFO.
 */
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/time.h>

#include "selftests/net/peer_steps.h"

static void say(struct peer *p, const char *format, ...)
{
	va_list ap;

	pthread_mutex_lock(&p->lock);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	fflush(stdout);
	pthread_mutex_unlock(&p->lock);
}

/* Payload only: a connect()'s SYN and the FINs take a sequence number each. */
static void report(struct conn *c, const char *at)
{
	struct tcp_info info;
	struct sockaddr_storage self;
	socklen_t len = sizeof(self);
	uint64_t acked, received;
	char port[8] = "0", next;
	bool fin;

	tcp_info(c, &info);
	if (!getsockname(c->fd, (struct sockaddr *)&self, &len))
		getnameinfo((struct sockaddr *)&self, len, NULL, 0, port, sizeof(port),
			    NI_NUMERICSERV);
	acked = info.tcpi_bytes_acked - (c->p->active && info.tcpi_bytes_acked ? 1 : 0);
	if (acked > c->sent)
		acked = c->sent;
	/* The other side's FIN has come, read or not, if there is nothing but it to read, or by the
	 * state: CLOSE_WAIT, LAST_ACK, CLOSING. (TIME_WAIT shows as CLOSE.) */
	fin = c->eof || (!c->why && recv(c->fd, &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0) ||
	      info.tcpi_state == 8 || info.tcpi_state == 9 || info.tcpi_state == 11;
	received = info.tcpi_bytes_received - (fin && info.tcpi_bytes_received ? 1 : 0);

	pthread_mutex_lock(&c->p->lock);
	c->p->ok += !c->why;
	c->p->failed += !!c->why;
	c->p->sent += c->sent;
	c->p->received += c->received;
	if (c->p->connect_ms)
		c->p->connect_ms[c->id] = c->connect_ms;
	pthread_mutex_unlock(&c->p->lock);
	if (c->p->brief && !c->why)
		return;
	say(c->p,
	    "{\"event\":\"done\",\"id\":%u,\"result\":\"%s\",\"at\":\"%s\",\"sent\":%llu,"
	    "\"received\":%llu,\"eof\":%s,\"bytes_acked\":%llu,\"bytes_received\":%llu,"
	    "\"local_port\":%s,\"retransmits\":%u,\"rtt_us\":%u,\"connect_ms\":%.3f,\"started\":%.3f,\"ms\":%.1f}\n",
	    c->id, c->why ? c->why : "ok", at, (unsigned long long)c->sent,
	    (unsigned long long)c->received, c->eof ? "true" : "false", (unsigned long long)acked,
	    (unsigned long long)received, port, info.tcpi_total_retrans, info.tcpi_rtt,
	    c->connect_ms, c->started, (now_s() - c->started) * 1000);
}

static bool dial(struct conn *c)
{
	struct peer *p = c->p;
	double start = now_s();

	c->fd = socket(p->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return fail(c, strerrordesc_np(errno));
	if (p->rcvbuf)
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &p->rcvbuf, sizeof(p->rcvbuf));
	if (p->sndbuf)
		setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &p->sndbuf, sizeof(p->sndbuf));
	if ((p->bind_len && bind(c->fd, (struct sockaddr *)&p->bind, p->bind_len)) ||
	    connect(c->fd, (struct sockaddr *)&p->addr, p->addr_len))
		return fail(c, timed_out_or(errno));
	c->connect_ms = (now_s() - start) * 1000;
	return true;
}

static void *conn_run(void *arg)
{
	struct conn *c = arg;
	struct peer *p = c->p;
	struct timeval limit = {.tv_sec = p->timeout_s};
	const char *at = "connect";
	int one = 1;

	c->started = now_s();
	c->buf = malloc(CHUNK);
	if (!c->buf)
		fail(c, "out of memory");
	else if (!p->active || dial(c)) {
		setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		for (size_t i = 0; i < p->n_steps; i++) {
			at = p->steps[i].name;
			if (!step(c, &p->steps[i]))
				break;
		}
	}
	report(c, at);
	close(c->fd);
	free(c->buf);
	pthread_mutex_lock(&p->lock);
	p->running--;
	pthread_cond_signal(&p->ended);
	pthread_mutex_unlock(&p->lock);
	free(c);
	return NULL;
}

static void conn_start(struct peer *p, unsigned id, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	uint64_t mine = (p->key + (p->vary ? id : 0)) * 8191;
	pthread_attr_t attr;
	pthread_t thread;

	if (!c)
		exit(1);
	*c = (struct conn){.p = p, .id = id, .fd = fd};
	c->base = mine + (p->active ? 0 : PATTERN_PERIOD / 2);
	c->other = mine + (p->active ? PATTERN_PERIOD / 2 : 0);
	pthread_mutex_lock(&p->lock);
	while (p->running >= p->parallel)
		pthread_cond_wait(&p->ended, &p->lock);
	p->running++;
	pthread_mutex_unlock(&p->lock);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 << 10);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, conn_run, c)) {
		perror("peer: thread");
		exit(1);
	}
	pthread_attr_destroy(&attr);
}

static void wait_all(struct peer *p)
{
	pthread_mutex_lock(&p->lock);
	while (p->running)
		pthread_cond_wait(&p->ended, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

static int serve(struct peer *p)
{
	int fd = socket(p->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	char host[64], port[16];

	if (p->rcvbuf)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &p->rcvbuf, sizeof(p->rcvbuf));
	if (p->sndbuf)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &p->sndbuf, sizeof(p->sndbuf));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&p->addr, p->addr_len) || listen(fd, 4096) ||
	    getsockname(fd, (struct sockaddr *)&p->addr, &p->addr_len)) {
		perror("peer: listen");
		return 1;
	}
	getnameinfo((struct sockaddr *)&p->addr, p->addr_len, host, sizeof(host), port,
		    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	say(p, "{\"event\":\"listening\",\"host\":\"%s\",\"port\":%s}\n", host, port);
	for (unsigned id = 0; !p->count || id < p->count; id++) {
		int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (conn < 0) {
			perror("peer: accept");
			return 1;
		}
		if (!p->brief)
			say(p, "{\"event\":\"accepted\",\"id\":%u}\n", id);
		conn_start(p, id, conn);
	}
	close(fd);
	wait_all(p);
	return p->failed ? 1 : 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int make(struct peer *p)
{
	double start = now_s();

	p->connect_ms = calloc(p->count, sizeof(double));
	for (unsigned id = 0; id < p->count; id++) {
		if (p->rate > 0)
			sleep_s(start + id / p->rate - now_s());
		conn_start(p, id, -1);
	}
	wait_all(p);
	qsort(p->connect_ms, p->count, sizeof(double), by_value);
	say(p,
	    "{\"event\":\"summary\",\"count\":%u,\"ok\":%u,\"failed\":%u,\"sent\":%llu,"
	    "\"received\":%llu,\"connect_ms_p50\":%.3f,\"connect_ms_max\":%.3f,\"seconds\":%.3f}\n",
	    p->count, p->ok, p->failed, (unsigned long long)p->sent,
	    (unsigned long long)p->received, p->connect_ms[p->count / 2],
	    p->connect_ms[p->count - 1], now_s() - start);
	return p->failed ? 1 : 0;
}

static bool address(const char *host, const char *port, struct sockaddr_storage *to, socklen_t *len)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found;

	if (getaddrinfo(host, port, &hints, &found))
		return false;
	memcpy(to, found->ai_addr, found->ai_addrlen);
	*len = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

static const uint8_t *make_pattern(void)
{
	uint8_t *p = malloc(2 * PATTERN_PERIOD);
	uint64_t x = 88172645463325252ull;

	if (!p)
		exit(1);
	for (size_t i = 0; i < PATTERN_PERIOD; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = p[i + PATTERN_PERIOD] = (uint8_t)(x >> 24);
	}
	return p;
}

static int usage(void)
{
	fputs("usage: peer listen|connect ADDRESS PORT [option…] STEP…\n"
	      "options: --count N, --parallel N, --rate PER_SECOND, --timeout S, --bind ADDRESS,\n"
	      "         --sndbuf N, --rcvbuf N, --key N, --vary (a pattern per connection), --brief\n"
	      "steps:   send:N recv[:N] back:N duplex:N bounce:N ping:TIMES[:SIZE] echo rate:N fin\n"
	      "         rst quiet[:MS] hold sleep:MS line; N may end in k, m or g\n",
	      stderr);
	return 2;
}

static bool option(struct peer *p, const char *name, const char *value)
{
	if (!strcmp(name, "--count"))
		p->count = (unsigned)atoi(value);
	else if (!strcmp(name, "--parallel"))
		p->parallel = (unsigned)atoi(value);
	else if (!strcmp(name, "--rate"))
		p->rate = atof(value);
	else if (!strcmp(name, "--timeout"))
		p->timeout_s = (unsigned)atoi(value);
	else if (!strcmp(name, "--sndbuf"))
		p->sndbuf = atoi(value);
	else if (!strcmp(name, "--rcvbuf"))
		p->rcvbuf = atoi(value);
	else if (!strcmp(name, "--key"))
		p->key = (uint64_t)atoi(value);
	else if (!strcmp(name, "--bind"))
		return address(value, "0", &p->bind, &p->bind_len);
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	struct peer p = {.timeout_s = 60, .lock = PTHREAD_MUTEX_INITIALIZER};
	int i;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 4 || (strcmp(argv[1], "listen") && strcmp(argv[1], "connect")) ||
	    !address(argv[2], argv[3], &p.addr, &p.addr_len))
		return usage();
	p.active = argv[1][0] == 'c';
	for (i = 4; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (!strcmp(argv[i], "--brief"))
			p.brief = true;
		else if (!strcmp(argv[i], "--vary"))
			p.vary = true;
		else if (i + 1 >= argc || !option(&p, argv[i], argv[i + 1]))
			return usage();
		else
			i++;
	}
	if (p.active && !p.count)
		p.count = 1;
	if (!p.parallel)
		p.parallel = p.active && p.rate <= 0 ? 1 : 20000;
	p.n_steps = (size_t)(argc - i);
	p.steps = calloc(p.n_steps + 1, sizeof(*p.steps));
	for (size_t k = 0; k < p.n_steps; k++)
		if (!step_parse(argv[(size_t)i + k], &p.steps[k]))
			return usage();
	p.pattern = make_pattern();
	return p.active ? make(&p) : serve(&p);
}
