// SPDX-License-Identifier: MIT
/* Idle connections: how long nothing may move, and what counts as moving. */
#include "edge/conn/idle.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "edge/conn/core.h"
#include "edge/conn/legs.h"

/*
 * How long nothing may move on this connection, in milliseconds, and what its end is called then.
 * UINT64_MAX: for ever.
 */
static uint64_t idle_limit_ms(const struct conn *c, enum end_reason *reason)
{
	const struct rule *r = c->service->rule;
	uint64_t idle = r->idle_timeout_secs, half = r->half_close_timeout_secs;
	bool half_closed = (c->direction[CLIENT].flags | c->direction[TARGET].flags) & DIR_OVER;

	*reason = END_IDLE;
	if (half_closed && half && (!idle || half < idle)) {
		*reason = END_HALF_CLOSED;
		return half * 1000;
	}
	return idle ? idle * 1000 : UINT64_MAX;
}

/*
 * A byte has moved when its receiver has acknowledged it, which no event tells: a slow reader's
 * socket becomes writable seldom, a living one's that has stopped reading not at all. So the sockets
 * are asked, when the time seems to be up.
 */
static void look_for_acknowledgments(struct conn *c)
{
	uint32_t now = conn_now_ms(c->env);

	for (int leg = CLIENT; leg <= TARGET; leg++) {
		uint32_t was = c->direction[leg].delivered, is = conn_delivered(c, leg), at = now;
		struct tcp_info ti;
		socklen_t len = sizeof(ti);

		c->direction[leg].delivered = is;
		if (is == was)
			continue;
		if (getsockopt(c->fd[!leg], IPPROTO_TCP, TCP_INFO, &ti, &len) == 0)
			at -= ti.tcpi_last_ack_recv;
		if ((int32_t)(at - c->active_ms) > 0)
			c->active_ms = at;
	}
}

/* Bytes may be in the sockets whose events are not taken yet. */
static void look_for_events(struct conn *c)
{
	for (int leg = CLIENT; leg <= TARGET; leg++) {
		struct direction *sends = &c->direction[leg];
		struct pollfd p = {.fd = c->fd[leg], .events = POLLIN | POLLRDHUP};

		if ((sends->flags & (DIR_READABLE | DIR_EOF)) || poll(&p, 1, 0) <= 0)
			continue;
		/* Bits of poll(2) and of epoll(7) are the same. */
		conn_note_events(c, leg, (uint16_t)p.revents);
		c->active_ms = conn_now_ms(c->env);
		loop_work(c->env->loop, &c->work);
	}
}

/* What is left of @limit_ms since a byte last moved; 0 when the time is up. */
static uint64_t idle_left_ms(struct conn *c, uint64_t limit_ms)
{
	uint32_t now = conn_now_ms(c->env);

	/* It has something to move, and may not. */
	if (permit_waits(c->permit))
		c->active_ms = now;
	if (now - c->active_ms >= limit_ms)
		look_for_acknowledgments(c);
	if (now - c->active_ms >= limit_ms)
		look_for_events(c);
	return now - c->active_ms >= limit_ms ? 0 : limit_ms - (now - c->active_ms);
}

void conn_watch_idle(struct conn *c)
{
	enum end_reason reason;
	uint64_t limit_ms = idle_limit_ms(c, &reason), left_ms;

	if (limit_ms == UINT64_MAX)
		return;
	left_ms = idle_left_ms(c, limit_ms);
	if (left_ms)
		timer_set(&c->env->loop->timers, &c->timer,
			  c->env->loop->now_ns + left_ms * NS_PER_MS);
	else
		conn_close(c, reason);
}

void conn_half_closed(struct conn *c)
{
	if (!c->service->rule->half_close_timeout_secs)
		return;
	look_for_acknowledgments(c);
	c->active_ms = conn_now_ms(c->env);
	conn_watch_idle(c);
}
