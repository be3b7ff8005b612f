// SPDX-License-Identifier: MIT
/* The two legs of a connection: what their events and their sockets say. */
#include "edge/conn/legs.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "edge/conn/core.h"

uint32_t conn_unacknowledged(const struct conn *c, int leg)
{
	int left = 0;

	return ioctl(c->fd[leg], SIOCOUTQ, &left) < 0 || left < 0 ? 0 : (uint32_t)left;
}

uint16_t conn_client_mss(const struct conn *c)
{
	struct tcp_info ti;
	socklen_t len = sizeof(ti);

	if (getsockopt(c->fd[CLIENT], IPPROTO_TCP, TCP_INFO, &ti, &len) < 0)
		return 0;
	/* NOP NOP and ten bytes of timestamps are in every segment that has them (RFC 7323). */
	return (uint16_t)(ti.tcpi_snd_mss + (ti.tcpi_options & TCPI_OPT_TIMESTAMPS ? 12 : 0));
}

uint32_t conn_delivered(const struct conn *c, int leg)
{
	return (uint32_t)c->direction[leg].bytes - conn_unacknowledged(c, !leg);
}

void conn_mark_reset(struct conn *c, int leg)
{
	c->direction[leg].flags |= DIR_RESET | DIR_READABLE | DIR_UNSURE;
	c->stall.delivered = conn_delivered(c, leg);
	c->stall.since_ms = conn_now_ms(c->env);
}

void conn_note_events(struct conn *c, int leg, uint32_t events)
{
	struct direction *sends = &c->direction[leg], *takes = &c->direction[!leg];

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		sends->flags |= DIR_READABLE;
	if (events & EPOLLRDHUP)
		sends->flags |= DIR_FIN;
	if (events & (EPOLLERR | EPOLLPRI))
		sends->flags |= DIR_UNSURE;
	if ((events & EPOLLERR) && !(sends->flags & DIR_RESET))
		conn_mark_reset(c, leg);
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		takes->flags |= DIR_WRITABLE;
}
