// SPDX-License-Identifier: MIT
/* Connections seen from outside: shown, ended on request, swept for peers that vanished. */
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "edge/conn_private.h"

static struct conn_view view(const struct conn *c)
{
	struct conn_view v = {
		.service = c->service,
		.target = c->target,
		.row = -1,
		.client_fd = c->fd[CLIENT],
		.target_fd = c->fd[TARGET],
		.age_ms = conn_now_ms(c->env) - c->started_ms,
		.bytes_in = c->half[CLIENT].bytes,
		.bytes_out = c->half[TARGET].bytes,
	};

	for (int row = 0; row < c->service->n; row++)
		if (c->service->target[row] == c->target)
			v.row = row;
	return v;
}

unsigned conn_end_matching(struct conn_env *env, enum end_reason reason,
			   bool (*match)(const struct conn_view *v, const void *arg),
			   const void *arg)
{
	struct conn *c, *next;
	unsigned n = 0;

	for (c = env->head; c; c = next) {
		struct conn_view v = view(c);

		next = c->next;
		if (match(&v, arg)) {
			conn_close(c, reason);
			n++;
		}
	}
	return n;
}

bool conn_visit(struct conn_env *env, unsigned *cursor, unsigned max,
		void (*visit)(const struct conn_view *v, void *arg), void *arg)
{
	unsigned skip = *cursor;

	for (struct conn *c = env->head; c; c = c->next) {
		struct conn_view v;

		if (skip) {
			skip--;
			continue;
		}
		if (!max--)
			return true;
		v = view(c);
		visit(&v, arg);
		++*cursor;
	}
	return false;
}

static void keepalive_on(const struct conn *c)
{
	static const int on = 1, idle_s = 60, every_s = 10, probes = 3;
	int fd = c->fd[TARGET];

	/* The client's socket has the times from its listener. */
	setsockopt(c->fd[CLIENT], SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

/*
 * Whether the peer of @leg owes us an answer and gave none for the sweep's limit. The time since the
 * last acknowledgment alone does not say so: after an idle hour it is an hour. So it counts from the
 * first look that saw something unanswered. A reader that has stopped owes nothing between two
 * zero-window probes, which come to be 120 s apart: the kernel sets its count of probes
 * back with every acknowledgment, so it is 0 as long as each was answered (seen on 6.18).
 */
static bool peer_is_dead(struct conn *c, int leg)
{
	uint32_t now = conn_now_ms(c->env) | 1, *since = &c->silent_ms[leg];
	struct tcp_info ti;
	socklen_t len = sizeof(ti);
	int outstanding = 0;

	/* SIOCOUTQ counts the unacknowledged and the unsent (tcp(7)). */
	if (ioctl(c->fd[leg], SIOCOUTQ, &outstanding) < 0 || outstanding <= 0 ||
	    getsockopt(c->fd[leg], IPPROTO_TCP, TCP_INFO, &ti, &len) < 0 ||
	    (!ti.tcpi_unacked && !ti.tcpi_probes)) {
		*since = 0;
		return false;
	}
	if (!*since || ti.tcpi_last_ack_recv < now - *since)
		*since = now;
	return now - *since >= c->env->sweep_limit_ms;
}

bool conn_sweep(struct conn_env *env, unsigned max)
{
	struct conn *c = env->sweep_next ? env->sweep_next : env->head;

	while (c && max--) {
		struct conn *next = c->next;

		env->sweep_next = next;
		if (c->state == CONN_RELAYING) {
			if (!c->swept)
				keepalive_on(c);
			c->swept = true;
			if (!((c->half[CLIENT].flags | c->half[TARGET].flags) & HALF_RESET) &&
			    (peer_is_dead(c, CLIENT) || peer_is_dead(c, TARGET)))
				conn_close(c, END_DEAD_PEER);
		}
		c = next;
	}
	return env->sweep_next != NULL;
}
