// SPDX-License-Identifier: MIT
/* Relaying between two legs: what events and ends of one mean for the other. */
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "edge/conn_private.h"

/* How long a RST waits for bytes that were relayed but not acknowledged yet. */
#define ABORT_STALL_MS 2000
#define ABORT_POLL_NS  (20 * NS_PER_MS)

static enum end_reason reset_by(int leg)
{
	return leg == CLIENT ? END_CLIENT_RESET : END_TARGET_RESET;
}

/* Counts what one pump wrote. In user-space mode these figures are all there is. */
static void count_bytes(struct conn *c, int from, uint64_t before)
{
	uint64_t n = c->half[from].bytes - before;

	if (!n)
		return;
	c->active_ms = conn_now_ms(c->env);
	atomic_fetch_add_explicit(from == CLIENT ? &c->target->written_in : &c->target->written_out,
				  n, memory_order_relaxed);
}

/* Bytes in a leg's socket that its peer has not acknowledged yet (tcp(7)). */
static uint32_t unacknowledged(const struct conn *c, int leg)
{
	int left = 0;

	return ioctl(c->fd[leg], SIOCOUTQ, &left) < 0 || left < 0 ? 0 : (uint32_t)left;
}

/* Of what @leg sent, how much has arrived at the other leg's peer (modulo 2^32). A socket becomes
 * writable again only when a third of its buffer is free, so writes alone are no measure. */
static uint32_t delivered(const struct conn *c, int leg)
{
	return (uint32_t)c->half[leg].bytes - unacknowledged(c, !leg);
}

static void mark_reset(struct conn *c, int leg)
{
	c->half[leg].flags |= HALF_RESET | HALF_READABLE | HALF_UNSURE;
	c->stall.delivered = delivered(c, leg);
	c->stall.since_ms = conn_now_ms(c->env);
}

/* Whether nothing of what @leg sent has arrived for too long. */
static bool stalled(struct conn *c, int leg)
{
	uint32_t now = delivered(c, leg);

	if (now != c->stall.delivered) {
		c->stall.delivered = now;
		c->stall.since_ms = conn_now_ms(c->env);
	}
	return conn_now_ms(c->env) - c->stall.since_ms > ABORT_STALL_MS;
}

/* Waits until the living leg has acknowledged all, or makes no progress; then resets it. */
static void abort_poll(struct conn *c)
{
	struct loop *l = c->env->loop;

	if (!unacknowledged(c, !c->dead_leg) || stalled(c, c->dead_leg) ||
	    timer_set(&l->timers, &c->timer, l->now_ns + ABORT_POLL_NS))
		conn_close(c, reset_by(c->dead_leg));
}

/*
 * All that @leg had sent before it was reset is with the other leg's socket. An immediate RST there
 * would destroy what that has not acknowledged yet (megabytes, measured), so it waits.
 */
static void begin_abort(struct conn *c, int leg)
{
	if (c->half[!leg].flags & HALF_RESET) {
		conn_close(c, reset_by(leg));
		return;
	}
	c->state = CONN_ABORTING;
	c->dead_leg = leg;
	mark_reset(c, leg);
	c->half[!leg].flags |= HALF_OVER;
	relay_drop(&c->env->relay, &c->half[!leg]);
	abort_poll(c);
}

/* A leg was reset. What it had sent is on its way into the other leg's socket, or there already. */
static void watch_reset(struct conn *c, int leg)
{
	struct loop *l = c->env->loop;

	if (c->half[leg].flags & HALF_OVER)
		begin_abort(c, leg);
	else if (stalled(c, leg) || timer_set(&l->timers, &c->timer, l->now_ns + ABORT_POLL_NS))
		conn_close(c, reset_by(leg));
}

/* One direction is through. Returns false when the connection is closed or closing by that. */
static bool half_done(struct conn *c, int from)
{
	struct half *h = &c->half[from];

	h->flags |= HALF_OVER;
	if (h->flags & HALF_RESET) {
		begin_abort(c, from);
		return false;
	}
	if (c->half[!from].flags & HALF_OVER) {
		/* close() sends the second FIN. */
		conn_close(c, END_CLOSED);
		return false;
	}
	shutdown(c->fd[!from], SHUT_WR);
	return true;
}

/* Sends from @from can't be delivered: the other leg is dead. What that had sent still can. */
static bool half_broken(struct conn *c, int from)
{
	relay_drop(&c->env->relay, &c->half[from]);
	c->half[from].flags |= HALF_OVER;
	if (c->half[!from].flags & HALF_OVER) {
		begin_abort(c, !from);
		return false;
	}
	mark_reset(c, !from);
	return true;
}

static void pump(struct conn *c)
{
	struct conn_env *env = c->env;
	bool again = false, twice = false;

	for (int from = CLIENT; from <= TARGET; from++) {
		struct half *h = &c->half[from];
		uint64_t before = h->bytes;
		bool was_reset = h->flags & HALF_RESET;
		enum relay_result r;

		if (h->flags & HALF_OVER)
			continue;
		r = relay_pump(&env->relay, h, c->fd[from], c->fd[!from], env->loop->now_ns);
		count_bytes(c, from, before);
		/* The RST was read before its event came. */
		if (!was_reset && (h->flags & HALF_RESET))
			mark_reset(c, from);
		if (r == RELAY_AGAIN)
			again = true;
		if (r == RELAY_DONE && !half_done(c, from))
			return;
		if (r == RELAY_BROKEN) {
			if (!half_broken(c, from))
				return;
			twice = from == TARGET; /* the client's direction has had its turn */
		}
	}
	if (again || twice)
		loop_work(env->loop, &c->work);
	else if (c->half[CLIENT].flags & c->half[TARGET].flags & HALF_RESET)
		conn_close(c, END_CLIENT_RESET);
	else if ((c->half[CLIENT].flags | c->half[TARGET].flags) & HALF_RESET)
		watch_reset(c, c->half[CLIENT].flags & HALF_RESET ? CLIENT : TARGET);
}

void conn_on_work(struct work *work)
{
	pump(container(work, struct conn, work));
}

void conn_note_events(struct conn *c, int leg, uint32_t events)
{
	static const int on = 1;
	struct half *sends = &c->half[leg], *takes = &c->half[!leg];

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		sends->flags |= HALF_READABLE;
	if (events & EPOLLRDHUP)
		sends->flags |= HALF_FIN;
	if (events & (EPOLLERR | EPOLLPRI))
		sends->flags |= HALF_UNSURE;
	if ((events & EPOLLERR) && !(sends->flags & HALF_RESET))
		mark_reset(c, leg);
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		takes->flags |= HALF_WRITABLE;
	/* Urgent data (RFC 6093 advises against it) is relayed in line, as ordinary bytes. */
	if (events & EPOLLPRI)
		setsockopt(c->fd[leg], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

static void arm_idle(struct conn *c)
{
	uint64_t limit_ms = (uint64_t)c->service->rule->idle_timeout_secs * 1000;
	uint32_t idle = conn_now_ms(c->env) - c->active_ms;

	if (idle >= limit_ms) {
		conn_close(c, END_IDLE);
		return;
	}
	timer_set(&c->env->loop->timers, &c->timer,
		  c->env->loop->now_ns + (limit_ms - idle) * NS_PER_MS);
}

void conn_on_timer(struct timer *timer)
{
	struct conn *c = container(timer, struct conn, timer);

	if (c->state == CONN_ABORTING)
		abort_poll(c);
	else if ((c->half[CLIENT].flags | c->half[TARGET].flags) & HALF_RESET)
		watch_reset(c, c->half[CLIENT].flags & HALF_RESET ? CLIENT : TARGET);
	else
		arm_idle(c);
}

void conn_relay_begin(struct conn *c, uint32_t events)
{
	struct target *t = c->target;

	c->state = CONN_RELAYING;
	atomic_fetch_add_explicit(&t->carried, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&t->active, 1, memory_order_relaxed);
	c->half[CLIENT].flags |= HALF_NODELAY;
	c->active_ms = conn_now_ms(c->env);
	if (c->service->rule->idle_timeout_secs)
		arm_idle(c);
	conn_note_events(c, TARGET, events);
	pump(c);
}

void conn_relay_event(struct conn *c, int leg, uint32_t events)
{
	if (c->state == CONN_RELAYING) {
		conn_note_events(c, leg, events);
		pump(c);
	} else if (leg != c->dead_leg && (events & EPOLLERR)) {
		/* HUP is no more than the FINs of both directions: acknowledgments still count. */
		conn_close(c, reset_by(c->dead_leg));
	}
}
