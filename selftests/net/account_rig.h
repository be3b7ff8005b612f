/* SPDX-License-Identifier: MIT */
/*
 * What the accounting tests share: an opened module with one target, and two ends of a connection
 * that each send a given amount, read to the end and count.
 */
#ifndef PORTUNUS_SELFTESTS_ACCOUNT_RIG_H
#define PORTUNUS_SELFTESTS_ACCOUNT_RIG_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpf/account.h"
#include "edge/account/account.h"
#include "edge/account/unpin.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define RULE 42

struct rig {
	const char *instance, *bpffs, *scope;
	const char *host;     /* address of the peer, a literal */
	const char *own;      /* our address, as the peer sees it */
	const char *peer_net; /* network namespace of the peer, or NULL: ours */
	bool basic;	      /* ask for the basic programs; once open: these are what runs */
	struct account *a;
	uint64_t slot, none; /* the target's record, the unassigned one */
	int events[3];	     /* by kind */
};

#define CHECK(cond, ...)                                                           \
	do {                                                                       \
		if (!(cond)) {                                                     \
			fprintf(stderr, "  %s:%d: %s", __FILE__, __LINE__, #cond); \
			fprintf(stderr, "  (" __VA_ARGS__);                        \
			fprintf(stderr, ")\n");                                    \
			return -1;                                                 \
		}                                                                  \
	} while (0)

static inline void rig_event(void *arg, uint64_t slot, int kind, int error)
{
	struct rig *rig = arg;

	if (kind > 0 && kind < 3)
		rig->events[kind]++;
}

static inline int rig_open(struct rig *rig)
{
	struct account_config config = {.instance = rig->instance,
					.bpffs = rig->bpffs,
					.scope = rig->scope,
					.basic = rig->basic,
					.event = rig_event,
					.arg = rig};
	struct account_key key = {.rule_id = RULE, .listen_port = 4200, .port = 4201};

	rig->a = account_open(&config);
	CHECK(rig->a, "memory");
	CHECK(account_mode(rig->a) == ACCOUNT_BPF, "%s", account_reason(rig->a));
	CHECK(!rig->basic || *account_reason(rig->a), "nothing said of the basic programs");
	rig->basic = *account_reason(rig->a);
	CHECK(!account_slot_get(rig->a, &key, &rig->none), "unassigned record");
	key.host = rig->host;
	CHECK(!account_slot_get(rig->a, &key, &rig->slot), "record");
	return 0;
}

/* As a process that starts after this one. */
static inline int rig_reopen(struct rig *rig)
{
	account_close(rig->a);
	return rig_open(rig);
}

static inline struct account_record rig_read(struct rig *rig, uint64_t slot)
{
	struct account_record r;

	account_read(rig->a, slot, &r);
	return r;
}

static inline struct account_record rig_refreshed(struct rig *rig, uint64_t slot)
{
	account_refresh(rig->a, clock_mono_ns());
	return rig_read(rig, slot);
}

/* Until no upstream connection is open and, where it matters, the last FIN is acknowledged. */
static inline struct account_record rig_quiet(struct rig *rig, uint64_t in, uint64_t out)
{
	struct account_record r;

	for (int i = 0; i < 300; i++) {
		r = rig_read(rig, rig->slot);
		if (!r.active && r.bytes_in == in && r.bytes_out == out)
			break;
		usleep(10000);
	}
	usleep(30000);
	return rig_refreshed(rig, rig->slot);
}

/* A socket of the peer's namespace (a socket stays in the one it was made in). */
static inline int rig_peer_socket(const struct rig *rig, int family)
{
	int own, other, fd;

	if (!rig->peer_net)
		return socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	other = open(rig->peer_net, O_RDONLY | O_CLOEXEC);
	if (own < 0 || other < 0 || setns(other, CLONE_NEWNET))
		return -1;
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (setns(own, CLONE_NEWNET))
		abort();
	close(own);
	close(other);
	return fd;
}

static inline int rig_address(const char *text, uint16_t port, struct sockaddr_storage *ss,
			      socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*len = sizeof(*v4);
	} else {
		inet_pton(AF_INET6, text, &v6->sin6_addr);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*len = sizeof(*v6);
	}
	return ss->ss_family;
}

static inline uint16_t rig_port(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	getsockname(fd, (struct sockaddr *)&ss, &len);
	return ntohs(((struct sockaddr_in *)&ss)->sin_port);
}

static inline int rig_listen(int fd, const char *address)
{
	struct sockaddr_storage ss;
	socklen_t len;

	rig_address(address, 0, &ss, &len);
	if (bind(fd, (struct sockaddr *)&ss, len) || listen(fd, 4096))
		return -errno;
	return rig_port(fd);
}

static inline int rig_connect(int fd, const char *address, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len;

	rig_address(address, port, &ss, &len);
	return connect(fd, (struct sockaddr *)&ss, len) ? -errno : 0;
}

/*
 * A connection one end of which is accounted: our tagged socket to the peer's listener (@upstream),
 * or what our tagged listener accepts, tagged with the target.
 */
static inline int rig_pair(struct rig *rig, bool upstream, int *ours, int *peers)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int family = rig_address(rig->host, 0, &ss, &len), l, port;

	l = upstream ? rig_peer_socket(rig, family) : socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(l >= 0, "%s", strerror(errno));
	if (!upstream)
		CHECK(!account_tag_listener(rig->a, l, RULE, rig->none, 0), "tag");
	port = rig_listen(l, upstream ? rig->host : rig->own);
	CHECK(port > 0, "%s", strerror(-port));
	if (upstream) {
		*ours = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK(!account_tag_upstream(rig->a, *ours, RULE, rig->slot), "tag");
		CHECK(!rig_connect(*ours, rig->host, (uint16_t)port), "connect");
		*peers = accept(l, NULL, NULL);
	} else {
		*peers = rig_peer_socket(rig, family);
		CHECK(!rig_connect(*peers, rig->own, (uint16_t)port), "connect");
		*ours = accept(l, NULL, NULL);
		CHECK(!account_tag_client(rig->a, *ours, RULE, rig->slot, 0), "tag");
	}
	close(l);
	return 0;
}

static inline struct tcp_info rig_info(int fd)
{
	struct tcp_info i = {0};
	socklen_t len = sizeof(i);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len);
	return i;
}

/* Waits until everything sent is acknowledged. */
static inline void rig_drained(int fd)
{
	int left = 1;

	while (!ioctl(fd, SIOCOUTQ, &left) && left)
		usleep(1000);
}

static inline void rig_reset(int fd)
{
	struct linger l = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
}

/* A pin of the instance. */
static inline int pin_fd(const struct rig *rig, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/portunus/v%d-%s/%s", rig->bpffs, ACCOUNT_ABI,
		 rig->instance, name);
	return bpf_obj_get(path);
}

static inline bool pin_exists(const struct rig *rig, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/portunus/v%d-%s/%s", rig->bpffs, ACCOUNT_ABI,
		 rig->instance, name);
	return !access(path, F_OK);
}

/* Sends and reads that many bytes, in small turns; returns when they are acknowledged. */
static inline int move(int from, int to, uint64_t n)
{
	static char buf[1 << 16];

	while (n) {
		ssize_t w = send(from, buf, n < sizeof(buf) ? n : sizeof(buf), 0);

		if (w <= 0 || recv(to, buf, (size_t)w, MSG_WAITALL) != w)
			return -1;
		n -= (uint64_t)w;
	}
	rig_drained(from);
	return 0;
}

/* One end: sends, half-closes, reads to the end, closes. */
struct end {
	int fd;
	uint64_t send; /* bytes */
	bool last;     /* begins to send only when the other end has sent its FIN */
	bool straight; /* closes without shutdown() when it is done */
	uint64_t sent, got;
	int error;
	pthread_t thread;
};

static inline void end_send(struct end *e, const char *buf, size_t size)
{
	size_t n = e->send - e->sent < size ? (size_t)(e->send - e->sent) : size;
	ssize_t w = send(e->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (w > 0)
		e->sent += (uint64_t)w;
	else if (errno != EAGAIN)
		e->error = errno;
}

static inline void *end_run(void *arg)
{
	enum { SIZE = 1 << 20 };
	struct end *e = arg;
	char *buf = calloc(1, SIZE);
	bool eof = false, shut = false;

	while (buf && !e->error && !(eof && shut)) {
		bool may = (!e->last || eof) && !shut;
		struct pollfd p = {.fd = e->fd,
				   .events = (short)((eof ? 0 : POLLIN) | (may ? POLLOUT : 0))};

		if (poll(&p, 1, 20000) <= 0) {
			e->error = ETIMEDOUT;
			break;
		}
		if (may && e->sent == e->send) {
			if (!e->straight || !eof)
				shutdown(e->fd, SHUT_WR);
			shut = true;
		} else if (may && (p.revents & POLLOUT)) {
			end_send(e, buf, SIZE);
		}
		if (!eof && (p.revents & (POLLIN | POLLHUP | POLLERR))) {
			ssize_t r = recv(e->fd, buf, SIZE, MSG_DONTWAIT);

			if (r > 0)
				e->got += (uint64_t)r;
			else if (r == 0)
				eof = true;
			else if (errno != EAGAIN)
				e->error = errno;
		}
	}
	close(e->fd);
	free(buf);
	return NULL;
}

static inline void ends_run(struct end *ours, struct end *peers)
{
	pthread_create(&peers->thread, NULL, end_run, peers);
	end_run(ours);
	pthread_join(peers->thread, NULL);
}

/*
 * Runs the case that the command line names, on a fresh instance which is removed after it. Exit
 * code 0: as expected, 1: not, 2: no such case, 3: this kernel lacks what it needs.
 */
struct rig_case {
	const char *name;
	int (*run)(struct rig *rig, const char *const *args);
	bool keep; /* the pins, for the next process */
	bool full; /* not for a kernel that takes the basic programs alone */
};

static inline int rig_main(int argc, char **argv, const struct rig_case *cases, size_t n)
{
	struct rig rig = {.instance = getenv("INSTANCE"),
			  .bpffs = getenv("BPFFS") ? getenv("BPFFS") : "/sys/fs/bpf",
			  .scope = "file:",
			  .host = getenv("HOST") ? getenv("HOST") : "127.0.0.1",
			  .own = getenv("OWN") ? getenv("OWN") : "127.0.0.1",
			  .peer_net = getenv("PEER_NET"),
			  .basic = getenv("BASIC")};
	int rc = 2;

	log_init("account_test", getenv("RUST_LOG"));
	if (argc < 2 || !rig.instance) {
		fprintf(stderr, "usage: INSTANCE=name %s CASE [option…]\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(argv[1], cases[i].name))
			continue;
		rc = rig_open(&rig);
		if (!rc && cases[i].full && rig.basic)
			rc = 3;
		else
			rc = rc || cases[i].run(&rig, (const char *const *)argv + 2);
		account_close(rig.a);
		if (!cases[i].keep)
			account_unpin(rig.bpffs, rig.instance, NULL, 0);
	}
	return rc;
}

#endif
