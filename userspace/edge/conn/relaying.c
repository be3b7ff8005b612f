// SPDX-License-Identifier: MIT
/* Relaying between two legs: what events and ends of one mean for the other. */
#include "edge/conn/relaying.h"

#include <sys/socket.h>

#include "edge/conn/core.h"
#include "edge/conn/idle.h"
#include "edge/conn/legs.h"
#include "edge/target/eject.h"
#include "lib/base/container_of.h"

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
	uint64_t n = c->direction[from].bytes - before;
	struct port_cell *port;

	if (!n)
		return;
	cell_add(from == CLIENT ? &conn_target_cell(c)->written_in
				: &conn_target_cell(c)->written_out,
		 n);
	port = conn_port_cell(c);
	if (port)
		cell_add(from == CLIENT ? &port->bytes_in : &port->bytes_out, n);
}

/* Whether nothing of what @leg sent has arrived for too long, although the other leg's peer had all
 * that time something to acknowledge, and this thread has looked now and then. */
static bool stalled(struct conn *c, int leg)
{
	int64_t late = (int64_t)(c->env->loop->now_ns - c->timer.at_ns);
	uint32_t now = conn_delivered(c, leg);

	if (now != c->stall.delivered || !conn_unacknowledged(c, !leg) ||
	    (c->timer.at_ns && late > (int64_t)(ABORT_STALL_MS / 2 * NS_PER_MS))) {
		c->stall.delivered = now;
		c->stall.since_ms = conn_now_ms(c->env);
	}
	return conn_now_ms(c->env) - c->stall.since_ms > ABORT_STALL_MS;
}

/* Nothing more is moved in the direction of @from, whatever it holds or waits for. */
static void end_direction(struct conn *c, int from)
{
	c->direction[from].flags |= DIR_OVER;
	relay_drop(&c->env->relay, &c->direction[from]);
	permit_cancel(c->permit, from == CLIENT ? ADMIT_IN : ADMIT_OUT);
}

/* Waits until the living leg has acknowledged all, or makes no progress; then resets it. */
static void abort_poll(struct conn *c)
{
	struct loop *l = c->env->loop;

	if (!conn_unacknowledged(c, !c->dead_leg) || stalled(c, c->dead_leg) ||
	    timer_set(&l->timers, &c->timer, l->now_ns + ABORT_POLL_NS))
		conn_close(c, reset_by(c->dead_leg));
}

/*
 * All that @leg had sent before it was reset is with the other leg's socket. An immediate RST there
 * would destroy what that has not acknowledged yet (megabytes, measured), so it waits.
 */
static void begin_abort(struct conn *c, int leg)
{
	if (c->direction[!leg].flags & DIR_RESET) {
		conn_close(c, reset_by(leg));
		return;
	}
	c->state = CONN_ABORTING;
	c->dead_leg = leg;
	conn_mark_reset(c, leg);
	end_direction(c, !leg);
	abort_poll(c);
}

/* A leg was reset. What it had sent is on its way into the other leg's socket, or there already. */
static void watch_reset(struct conn *c, int leg)
{
	struct loop *l = c->env->loop;

	if (c->direction[leg].flags & DIR_OVER)
		begin_abort(c, leg);
	else if (stalled(c, leg) || timer_set(&l->timers, &c->timer, l->now_ns + ABORT_POLL_NS))
		conn_close(c, reset_by(leg));
}

/* A close that comes later than this may be for an idle client that has asked for nothing yet. */
#define SILENT_CLOSE_MS 1000

/*
 * The target's direction is through and had not a byte: as far as that is the target's doing, it counts
 * for its ejection. After the client's own end a FIN is an answer to that.
 */
static void note_silent_end(struct conn *c)
{
	const struct direction *client = &c->direction[CLIENT];
	bool reset = c->direction[TARGET].flags & DIR_RESET;

	if (client->flags & DIR_RESET || (!reset && client->flags & (DIR_FIN | DIR_OVER)))
		return;
	if (reset || client->bytes || conn_now_ms(c->env) - c->active_ms < SILENT_CLOSE_MS)
		eject_strike(c->service, c->target);
}

/* One direction is through. Returns false when the connection is closed or closing by that. */
static bool direction_done(struct conn *c, int from)
{
	struct direction *h = &c->direction[from];

	end_direction(c, from);
	if (from == TARGET && !h->bytes && c->service->rule->eject.resets)
		note_silent_end(c);
	if (h->flags & DIR_RESET) {
		begin_abort(c, from);
		return false;
	}
	if (c->direction[!from].flags & DIR_OVER) {
		/* close() sends the second FIN. */
		conn_close(c, END_CLOSED);
		return false;
	}
	shutdown(c->fd[!from], SHUT_WR);
	conn_half_closed(c);
	return true;
}

/* Sends from @from can't be delivered: the other leg is dead. What that had sent still can. */
static bool direction_broken(struct conn *c, int from)
{
	end_direction(c, from);
	if (c->direction[!from].flags & DIR_OVER) {
		begin_abort(c, !from);
		return false;
	}
	conn_mark_reset(c, !from);
	return true;
}

/* One turn of a direction, as far as the caps of its rule and owner let it. */
static enum relay_result move(struct conn *c, int from)
{
	struct conn_env *env = c->env;
	struct direction *h = &c->direction[from];
	const struct permit_want want = {
		.admission = &c->service->admission,
		.direction = from == CLIENT ? ADMIT_IN : ADMIT_OUT,
		.fd = c->fd[from],
		.wake = &c->work,
	};
	size_t budget = PERMIT_ALL, left = 0;
	enum relay_result r;

	/* A turn is for bytes that can be sent: what was read before goes first, and nothing beside it. */
	if (h->holds) {
		r = relay_pump(&env->relay, h, c->fd[from], c->fd[!from], env->loop->now_ns, &left);
		if (r != RELAY_SPENT)
			return r;
	}
	if ((h->flags & (DIR_READABLE | DIR_EOF)) == DIR_READABLE)
		budget = permit_budget(&env->permits, &c->permit, &want);
	left = budget;
	r = relay_pump(&env->relay, h, c->fd[from], c->fd[!from], env->loop->now_ns, &left);
	if (budget != PERMIT_ALL)
		permit_return(&env->permits, &want, left);
	/* With nothing to begin with it waits for its turn, and is woken then. */
	if (r == RELAY_SPENT)
		return budget ? RELAY_AGAIN : RELAY_BLOCKED;
	return r;
}

/* Both directions wait for events: the kernel may take over. */
static void offer(struct conn *c)
{
	if (c->env->kernel && rule_relay_wanted(c->service->rule))
		c->env->kernel->offer(c->env->kernel, c);
}

static void pump(struct conn *c)
{
	struct conn_env *env = c->env;
	bool again = false;

	for (int from = CLIENT; from <= TARGET; from++) {
		struct direction *h = &c->direction[from];
		uint64_t before = h->bytes;
		bool was_reset = h->flags & DIR_RESET;
		enum relay_result r;

		if (h->flags & DIR_OVER)
			continue;
		r = move(c, from);
		count_bytes(c, from, before);
		/* The RST was read before its event came. */
		if (!was_reset && (h->flags & DIR_RESET))
			conn_mark_reset(c, from);
		if (r == RELAY_AGAIN)
			again = true;
		if (r == RELAY_DONE && !direction_done(c, from))
			return;
		if (r == RELAY_BROKEN) {
			if (!direction_broken(c, from))
				return;
			/* Now the client's RST is to be seen, and its direction has had its turn. */
			again |= from == TARGET;
		}
	}
	if (again)
		loop_work(env->loop, &c->work);
	else if (!((c->direction[CLIENT].flags | c->direction[TARGET].flags) & DIR_RESET))
		offer(c);
	else if (c->direction[CLIENT].flags & c->direction[TARGET].flags & DIR_RESET)
		conn_close(c, END_CLIENT_RESET);
	else
		watch_reset(c, c->direction[CLIENT].flags & DIR_RESET ? CLIENT : TARGET);
}

static void on_work(struct work *work)
{
	pump(container_of(work, struct conn, work));
}

static void on_timer(struct timer *timer)
{
	struct conn *c = container_of(timer, struct conn, timer);

	if (c->state == CONN_ABORTING)
		abort_poll(c);
	else if ((c->direction[CLIENT].flags | c->direction[TARGET].flags) & DIR_RESET)
		watch_reset(c, c->direction[CLIENT].flags & DIR_RESET ? CLIENT : TARGET);
	else
		conn_watch_idle(c);
}

void conn_relay_begin(struct conn *c, uint32_t events)
{
	c->state = CONN_RELAYING;
	c->permit = NULL;
	c->work.run = on_work;
	c->timer.fire = on_timer;
	cell_add(&conn_target_cell(c)->carried, 1);
	cell_add(&conn_target_cell(c)->active, 1);
	c->direction[CLIENT].flags |= DIR_NODELAY;
	c->active_ms = conn_now_ms(c->env);
	conn_watch_idle(c);
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
