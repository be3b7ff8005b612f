// SPDX-License-Identifier: MIT
/* The sweep over open connections: keep-alive for those that last, an end for those whose peer vanished. */
#include "edge/conn/sweep.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "edge/conn/core.h"
#include "edge/conn/legs.h"

void conn_set_keepalive_times(int fd)
{
	static const int idle_s = 60, every_s = 10, probes = 3;

	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static void keepalive_on(const struct conn *c)
{
	static const int on = 1;

	/* The client's socket has the times from its listener. */
	setsockopt(c->fd[CLIENT], SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(c->fd[TARGET], SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	conn_set_keepalive_times(c->fd[TARGET]);
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
	uint32_t now = conn_now_ms(c->env) | 1, *since = &c->silent_ms[leg], late;
	struct tcp_info ti;
	socklen_t len = sizeof(ti);

	if (!conn_unacknowledged(c, leg) ||
	    getsockopt(c->fd[leg], IPPROTO_TCP, TCP_INFO, &ti, &len) < 0 ||
	    (!ti.tcpi_unacked && !ti.tcpi_probes)) {
		*since = 0;
		return false;
	}
	if (!*since || ti.tcpi_last_ack_recv < now - *since)
		*since = now;
	late = c->env->sweep_late_ms;
	*since += late < now - *since ? late : now - *since;
	return now - *since >= c->env->sweep_limit_ms;
}

bool conn_sweep(struct conn_env *env, unsigned max)
{
	struct conn *c = env->sweep.next ? env->sweep.next : LIST_FIRST(&env->all);

	while (c && max--) {
		struct conn *next = LIST_NEXT(c, entry);

		env->sweep.next = next;
		if (c->state == CONN_RELAYING) {
			if (!c->swept)
				keepalive_on(c);
			c->swept = true;
			if (!((c->direction[CLIENT].flags | c->direction[TARGET].flags) &
			      DIR_RESET) &&
			    (peer_is_dead(c, CLIENT) || peer_is_dead(c, TARGET)))
				conn_close(c, END_DEAD_PEER);
		}
		c = next;
	}
	return env->sweep.next != NULL;
}
