// SPDX-License-Identifier: MIT
/*
 * Many random conversations, each of which both ends know from its seed: what is said, how much, and who
 * ends it how. Whatever differs is counted: wrong bytes, missing bytes, other ends, silence.
 *   exchange serve HOST PORT            until stdin ends; then the sums
 *   exchange talk HOST PORT COUNT PARALLEL SEED BULK_MAX ENDS [WAIT_MS]
 * ENDS: letters of which each conversation draws one: c (the client's FIN first), s (the server's), b (both),
 * C (a RST of the client), S (of the server).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SILENCE_MS 25000 /* longer than any loss here explains */
#define CHUNK	   65536

/* The first bytes of a conversation. */
struct header {
	uint64_t seed;
	uint32_t up, down;
	uint16_t rounds, wait_ms;
	uint8_t end, pad[11];
};

struct talker {
	const char *host, *port, *ends;
	uint64_t seed;
	unsigned count, bulk, wait_ms;
};

static atomic_ullong sent, received, conversations, failed;
static atomic_uint next_number, open_now;

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static uint8_t byte_at(uint64_t seed, uint64_t at)
{
	return (uint8_t)(mix(seed + (at >> 3)) >> (at & 7) * 8);
}

static void fill(uint8_t *buf, size_t n, uint64_t seed, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = byte_at(seed, at + i);
}

static bool fail(const struct header *h, const char *who, const char *what, uint64_t at)
{
	printf("{\"event\":\"trouble\",\"who\":\"%s\",\"what\":\"%s\",\"at\":%" PRIu64
	       ",\"seed\":%" PRIu64
	       ",\"up\":%u,\"down\":%u,\"rounds\":%u,\"end\":\"%c\",\"errno\":\"%s\"}\n",
	       who, what, at, h->seed, h->up, h->down, h->rounds, h->end, strerror(errno));
	fflush(stdout);
	atomic_fetch_add(&failed, 1);
	return false;
}

/* Sends and receives at the same time. @shut: a FIN follows what is sent. */
static bool duplex(int fd, const struct header *h, const char *who, uint64_t tx, uint64_t tx_seed,
		   uint64_t rx, uint64_t rx_seed, bool shut)
{
	uint64_t out = 0, in = 0;
	uint8_t *buf = malloc(2 * CHUNK), *want = buf + CHUNK;
	bool ok = true;

	while (ok && (out < tx || in < rx)) {
		struct pollfd p = {.fd = fd};
		ssize_t n;

		p.events = (short)((out < tx ? POLLOUT : 0) | (in < rx ? POLLIN : 0));
		if (poll(&p, 1, SILENCE_MS) <= 0) {
			ok = fail(h, who, "silence", out < tx ? out : in);
			break;
		}
		if ((p.revents & (POLLIN | POLLERR | POLLHUP)) && in < rx) {
			size_t most = rx - in < CHUNK ? rx - in : CHUNK;

			n = recv(fd, buf, most, MSG_DONTWAIT);
			if (n > 0) {
				fill(want, (size_t)n, rx_seed, in);
				if (memcmp(buf, want, (size_t)n) != 0)
					ok = fail(h, who, "wrong bytes", in);
				in += (uint64_t)n;
				atomic_fetch_add(&received, (uint64_t)n);
			} else if (!n) {
				ok = fail(h, who, "early end", in);
			} else if (errno != EAGAIN) {
				ok = fail(h, who, "receive", in);
			}
		}
		if (ok && (p.revents & POLLOUT) && out < tx) {
			size_t most = tx - out < CHUNK ? tx - out : CHUNK;

			fill(buf, most, tx_seed, out);
			n = send(fd, buf, most, MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n > 0) {
				out += (uint64_t)n;
				atomic_fetch_add(&sent, (uint64_t)n);
			} else if (errno != EAGAIN) {
				ok = fail(h, who, "send", out);
			}
		}
		if (ok && shut && out == tx) {
			shutdown(fd, SHUT_WR);
			shut = false;
		}
	}
	if (ok && shut)
		shutdown(fd, SHUT_WR);
	free(buf);
	return ok;
}

static bool expect_end(int fd, const struct header *h, const char *who, bool reset)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;
	ssize_t n;

	if (poll(&p, 1, SILENCE_MS) <= 0)
		return fail(h, who, reset ? "no RST" : "no FIN", 0);
	n = recv(fd, &c, 1, 0);
	if (n > 0)
		return fail(h, who, "bytes too many", 0);
	if (reset ? n == 0 || errno != ECONNRESET : n < 0)
		return fail(h, who, reset ? "FIN for a RST" : "RST for a FIN", 0);
	return true;
}

static void reset(int fd)
{
	static const struct linger now = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static uint64_t small(const struct header *h, unsigned round, unsigned way)
{
	return 1 + mix(h->seed + 1000 + round * 2 + way) % 2500;
}

static bool converse(int fd, const struct header *h, bool client)
{
	const char *who = client ? "client" : "server";
	uint64_t mine = h->seed * 2 + client, its = h->seed * 2 + !client;
	uint64_t tx = client ? h->up : h->down, rx = client ? h->down : h->up;
	bool i_reset = h->end == (client ? 'C' : 'S'), it_resets = h->end == (client ? 'S' : 'C');
	bool i_first = h->end == (client ? 'c' : 's') || h->end == 'b';

	for (unsigned r = 0; r < h->rounds; r++) {
		if (client && h->wait_ms)
			usleep((useconds_t)(mix(h->seed + r) % h->wait_ms * 1000));
		if (client && !duplex(fd, h, who, small(h, r, 0), mine + r, 0, 0, false))
			return false;
		if (!duplex(fd, h, who, 0, 0, small(h, r, client), its + r, false))
			return false;
		if (!client && !duplex(fd, h, who, small(h, r, 1), mine + r, 0, 0, false))
			return false;
	}
	if (i_reset || it_resets) {
		/* Who resets has said all before, and has received all. */
		if (it_resets)
			return duplex(fd, h, who, 0, 0, rx, its, false) &&
			       duplex(fd, h, who, tx, mine, 0, 0, false) &&
			       expect_end(fd, h, who, true);
		if (!duplex(fd, h, who, tx, mine, 0, 0, false) ||
		    !duplex(fd, h, who, 0, 0, rx, its, false))
			return false;
		reset(fd);
		return true;
	}
	if (!duplex(fd, h, who, tx, mine, rx, its, i_first) || !expect_end(fd, h, who, false))
		return false;
	shutdown(fd, SHUT_WR);
	return true;
}

static void timeouts(int fd)
{
	static const struct timeval limit = {.tv_sec = SILENCE_MS / 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static void *serve_one(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct header h = {0};

	timeouts(fd);
	if (recv(fd, &h, sizeof(h), MSG_WAITALL) != sizeof(h)) {
		fail(&h, "server", "no header", 0);
	} else {
		atomic_fetch_add(&received, sizeof(h));
		if (converse(fd, &h, false))
			atomic_fetch_add(&conversations, 1);
	}
	close(fd);
	atomic_fetch_sub(&open_now, 1);
	return NULL;
}

static void thread(void *(*run)(void *), void *arg, pthread_t *t)
{
	pthread_attr_t a;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 256 * 1024);
	if (pthread_create(t, &a, run, arg))
		abort();
	pthread_attr_destroy(&a);
}

static void *accept_all(void *arg)
{
	for (;;) {
		int fd = accept((int)(intptr_t)arg, NULL, NULL);
		pthread_t t;

		if (fd < 0)
			continue;
		atomic_fetch_add(&open_now, 1);
		thread(serve_one, (void *)(intptr_t)fd, &t);
		pthread_detach(t);
	}
	return NULL;
}

static void *talk_some(void *arg)
{
	const struct talker *t = arg;
	struct addrinfo *a, hints = {.ai_socktype = SOCK_STREAM};
	unsigned n;

	if (getaddrinfo(t->host, t->port, &hints, &a))
		abort();
	while ((n = atomic_fetch_add(&next_number, 1)) < t->count) {
		uint64_t s = mix(t->seed * 1000003 + n);
		struct header h = {.seed = s,
				   .rounds = (uint16_t)(mix(s + 1) % 6),
				   .wait_ms = (uint16_t)t->wait_ms,
				   .end = (uint8_t)t->ends[mix(s + 2) % strlen(t->ends)]};
		int fd = socket(a->ai_family, SOCK_STREAM, 0);

		/* Mostly little, sometimes much; nothing now and then. */
		h.up = (uint32_t)(mix(s + 3) % 8 ? mix(s + 4) % 4000 : mix(s + 4) % (t->bulk + 1));
		h.down = (uint32_t)(mix(s + 5) % 8 ? mix(s + 6) % 4000
						   : mix(s + 6) % (t->bulk + 1));
		h.up = mix(s + 7) % 16 ? h.up : 0;
		h.down = mix(s + 8) % 16 ? h.down : 0;
		/* Who resets waits for the other's last byte, so there has to be one. */
		if (h.end == 'C' || h.end == 'S') {
			h.up += !h.up;
			h.down += !h.down;
		}
		timeouts(fd);
		if (connect(fd, a->ai_addr, a->ai_addrlen) ||
		    send(fd, &h, sizeof(h), MSG_NOSIGNAL) != sizeof(h)) {
			fail(&h, "client", "connect", 0);
		} else {
			atomic_fetch_add(&sent, sizeof(h));
			if (converse(fd, &h, true))
				atomic_fetch_add(&conversations, 1);
		}
		close(fd);
	}
	freeaddrinfo(a);
	return NULL;
}

static void sums(void)
{
	printf("{\"event\":\"sums\",\"conversations\":%llu,\"failed\":%llu,\"sent\":%llu,"
	       "\"received\":%llu,\"open\":%u}\n",
	       atomic_load(&conversations), atomic_load(&failed), atomic_load(&sent),
	       atomic_load(&received), atomic_load(&open_now));
	fflush(stdout);
}

static int serve(const char *host, const char *port)
{
	struct addrinfo *a, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	static const int on = 1;
	pthread_t t;
	int fd, c;

	if (getaddrinfo(host, port, &hints, &a))
		return 1;
	fd = socket(a->ai_family, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, 4096))
		return 1;
	printf("{\"event\":\"listening\"}\n");
	fflush(stdout);
	thread(accept_all, (void *)(intptr_t)fd, &t);
	/* A line asks for the sums so far. */
	while ((c = getchar()) != EOF)
		if (c == '\n')
			sums();
	return 0;
}

int main(int argc, char **argv)
{
	struct talker t;
	pthread_t threads[1024];
	unsigned parallel;

	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(argv[2], argv[3]);
	if (argc < 9 || strcmp(argv[1], "talk") != 0)
		return 2;
	t = (struct talker){.host = argv[2],
			    .port = argv[3],
			    .count = (unsigned)atoi(argv[4]),
			    .seed = strtoull(argv[6], NULL, 10),
			    .bulk = (unsigned)atoi(argv[7]),
			    .ends = argv[8],
			    .wait_ms = argc > 9 ? (unsigned)atoi(argv[9]) : 0};
	parallel = (unsigned)atoi(argv[5]);
	for (unsigned i = 0; i < parallel && i < 1024; i++)
		thread(talk_some, &t, &threads[i]);
	for (unsigned i = 0; i < parallel && i < 1024; i++)
		pthread_join(threads[i], NULL);
	sums();
	return atomic_load(&failed) != 0;
}
