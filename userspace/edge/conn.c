// SPDX-License-Identifier: MIT
/* One client's connection, from accept to its one exit: the walk over targets, then two halves. */
#include "edge/conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/account.h"
#include "lib/addr.h"
#include "lib/log.h"

#define CLIENT_SLOT   0
#define CLIENT_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

/* How long a RST waits for bytes that were relayed but not acknowledged yet. */
#define ABORT_STALL_MS 2000
#define ABORT_POLL_NS  (20 * NS_PER_MS)

/* Hedging (Documentation/failover.md): the delay's bounds, and where lost SYNs are only retried
 * after a second, a delay that outlasts one retry. */
#define HEDGE_MIN_NS  (300 * NS_PER_MS)
#define HEDGE_MAX_NS  (1000 * NS_PER_MS)
#define HEDGE_SLOW_NS (1200 * NS_PER_MS)

enum conn_state { CONN_DIALLING, CONN_RELAYING, CONN_ABORTING, CONN_CLOSED };

/* Direction and leg share an index: half[CLIENT] carries what the client sends. */
enum { CLIENT, TARGET };

struct conn {
	struct io io;
	struct conn_env *env;
	struct conn *next, **prev;
	struct service *service;
	struct target *target; /* once connected */
	union {
		struct dial *dial;    /* while dialling */
		struct corpse corpse; /* when closed */
	};
	struct work work;
	struct timer timer;
	struct half half[2];
	int fd[2];
	uint32_t started_ms,
		active_ms;    /* of the loop's clock; wraps after 49 days, so does an age */
	uint8_t state, slot;  /* slot: of the target's fd */
	bool swept, dead_leg; /* dead_leg: the leg whose end is being passed on as a RST */
	union {
		uint32_t silent_ms[2]; /* while relaying: by leg, see peer_is_dead(); 0 for not */
		struct {	       /* once a leg was reset */
			uint32_t left; /* what the other leg has yet to take or acknowledge */
			uint32_t since_ms; /* how long that has been as it is */
		} stall;
	};
};

/* What an idle connection costs (Documentation/performance.md). */
_Static_assert(sizeof(struct conn) <= 192, "a connection fits three cache lines");

/* The walk over a rule's targets; given back when one has won. */
struct dial {
	struct conn *conn;
	struct dial *next, **prev;
	struct timer timer;
	uint64_t deadline_ns;			/* of the whole walk */
	struct upstream *try[RULE_TARGETS_MAX]; /* by row */
	uint8_t dialled;			/* rows, a bit each */
	uint8_t pending;			/* tries without a result */
	uint8_t first;				/* the row dialled first */
};

static void conn_close(struct conn *c, enum end_reason reason);
static void start_next(struct dial *d);

int conn_env_init(struct conn_env *env)
{
	upstream_env_init(&env->upstream);
	slab_init(&env->conns, sizeof(struct conn));
	slab_init(&env->dials, sizeof(struct dial));
	env->relay.buf = malloc(RELAY_COPY_BYTES);
	return env->relay.buf ? 0 : -ENOMEM;
}

void conn_env_close(struct conn_env *env)
{
	pipe_pool_trim(&env->relay.pool, 0);
	slab_close(&env->conns);
	slab_close(&env->dials);
	upstream_env_close(&env->upstream);
	free(env->relay.buf);
}

static uint32_t now_ms(const struct conn_env *env)
{
	return (uint32_t)(env->loop->now_ns / NS_PER_MS);
}

/* ---- the end ---- */

static void bury_conn(struct corpse *corpse)
{
	struct conn *c = (struct conn *)((char *)corpse - offsetof(struct conn, corpse));

	slab_free(&c->env->conns, c);
}

static void log_closed(const struct conn *c, enum end_reason reason)
{
	union addr peer;
	socklen_t len = sizeof(peer);
	char text[ADDR_TEXT_MAX] = "";

	if (!log_enabled(LOG_DEBUG))
		return;
	if (getpeername(c->fd[CLIENT], &peer.sa, &len) == 0)
		addr_text(&peer, text, sizeof(text));
	log_event(LOG_DEBUG, "connection.closed", LOGF_UINT("rule", c->service->rule->id),
		  LOGF_STR("client", text), LOGF_STR("target", c->target ? c->target->host : NULL),
		  LOGF_UINT("target_port", c->target ? c->target->port : 0),
		  LOGF_UINT("bytes_in", c->half[CLIENT].bytes),
		  LOGF_UINT("bytes_out", c->half[TARGET].bytes),
		  LOGF_UINT("age_ms", now_ms(c->env) - c->started_ms),
		  LOGF_STR("reason", end_reason_text(reason)));
}

/* RFC 9293 3.10.4 and socket(7): SO_LINGER with zero time makes close() send a RST. */
static void close_with_rst(int fd)
{
	static const struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void drop_dial(struct conn *c)
{
	struct dial *d = c->dial;

	timer_clear(&c->env->loop->timers, &d->timer);
	*d->prev = d->next;
	if (d->next)
		d->next->prev = d->prev;
	c->dial = NULL;
	slab_free(&c->env->dials, d);
}

/* The only exit. An end that was not orderly is passed on as a RST to whoever is still there. */
static void conn_close(struct conn *c, enum end_reason reason)
{
	struct conn_env *env = c->env;
	struct rule_totals *totals = c->service->totals;

	if (c->state == CONN_DIALLING) {
		struct dial *d = c->dial;

		for (unsigned row = 0; d && row < RULE_TARGETS_MAX; row++) {
			if (!d->try[row])
				continue;
			if (reason == END_CLIENT_GONE)
				upstream_abandon(d->try[row]);
			else
				upstream_detach(d->try[row]);
		}
		if (d)
			drop_dial(c);
	}
	log_closed(c, reason);
	c->state = CONN_CLOSED;
	timer_clear(&env->loop->timers, &c->timer);
	loop_work_cancel(env->loop, &c->work);
	relay_drop(&env->relay, &c->half[CLIENT]);
	relay_drop(&env->relay, &c->half[TARGET]);
	for (int leg = CLIENT; leg <= TARGET; leg++) {
		if (c->fd[leg] < 0)
			continue;
		if (reason == END_CLOSED)
			close(c->fd[leg]);
		else
			close_with_rst(c->fd[leg]);
	}
	if (env->sweep_next == c)
		env->sweep_next = c->next;
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	atomic_fetch_sub_explicit(&env->n, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&totals->active, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&totals->ended[reason], 1, memory_order_relaxed);
	if (c->target) {
		atomic_fetch_sub_explicit(&c->target->active, 1, memory_order_relaxed);
		target_unref(c->target);
	}
	service_unref(c->service);
	loop_bury(env->loop, &c->corpse, bury_conn);
}

/* ---- relaying ---- */

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
	c->active_ms = now_ms(c->env);
	atomic_fetch_add_explicit(from == CLIENT ? &c->target->written_in : &c->target->written_out,
				  n, memory_order_relaxed);
}

static void mark_reset(struct conn *c, int leg)
{
	c->half[leg].flags |= HALF_RESET | HALF_READABLE | HALF_HANGUP;
	c->stall.left = UINT32_MAX;
	c->stall.since_ms = now_ms(c->env);
}

/* Whether @left has not changed for too long. */
static bool stalled(struct conn *c, uint32_t left)
{
	if (left != c->stall.left) {
		c->stall.left = left;
		c->stall.since_ms = now_ms(c->env);
	}
	return now_ms(c->env) - c->stall.since_ms > ABORT_STALL_MS;
}

/* Waits until the living leg has acknowledged all, or makes no progress; then resets it. */
static void abort_poll(struct conn *c)
{
	struct loop *l = c->env->loop;
	int left = 0;

	if (ioctl(c->fd[!c->dead_leg], SIOCOUTQ, &left) < 0 || left <= 0 ||
	    stalled(c, (uint32_t)left) ||
	    timer_set(&l->timers, &c->timer, l->now_ns + ABORT_POLL_NS))
		conn_close(c, reset_by(c->dead_leg));
}

/*
 * All that @leg had sent before it was reset is with the other leg's socket. An immediate RST there
 * would destroy what that has not acknowledged yet (megabytes, measured), so it waits.
 */
static void begin_abort(struct conn *c, int leg)
{
	c->state = CONN_ABORTING;
	c->dead_leg = leg;
	mark_reset(c, leg);
	c->half[!leg].flags |= HALF_OVER;
	relay_drop(&c->env->relay, &c->half[!leg]);
	abort_poll(c);
}

/* A leg was reset while the other one takes its bytes slowly: looks whether it still does. */
static void watch_reset(struct conn *c, int leg)
{
	struct loop *l = c->env->loop;

	if (stalled(c, (uint32_t)c->half[leg].bytes) ||
	    timer_set(&l->timers, &c->timer, l->now_ns + ABORT_POLL_NS))
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
		conn_close(c, reset_by(!from));
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
		enum relay_result r;

		if (h->flags & HALF_OVER)
			continue;
		r = relay_pump(&env->relay, h, c->fd[from], c->fd[!from], env->loop->now_ns);
		count_bytes(c, from, before);
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

static void on_work(struct work *work)
{
	pump((struct conn *)((char *)work - offsetof(struct conn, work)));
}

static void note_events(struct conn *c, int leg, uint32_t events)
{
	static const int on = 1;
	struct half *sends = &c->half[leg], *takes = &c->half[!leg];

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		sends->flags |= HALF_READABLE;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		sends->flags |= HALF_HANGUP;
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
	uint32_t idle = now_ms(c->env) - c->active_ms;

	if (idle >= limit_ms) {
		conn_close(c, END_IDLE);
		return;
	}
	timer_set(&c->env->loop->timers, &c->timer,
		  c->env->loop->now_ns + (limit_ms - idle) * NS_PER_MS);
}

static void on_conn_timer(struct timer *timer)
{
	struct conn *c = (struct conn *)((char *)timer - offsetof(struct conn, timer));

	if (c->state == CONN_ABORTING)
		abort_poll(c);
	else if ((c->half[CLIENT].flags | c->half[TARGET].flags) & HALF_RESET)
		watch_reset(c, c->half[CLIENT].flags & HALF_RESET ? CLIENT : TARGET);
	else
		arm_idle(c);
}

/* ---- the walk ---- */

static uint64_t hedge_delay_ns(const struct conn *c, const struct target *t)
{
	const struct rule *r = c->service->rule;
	uint64_t delay;

	if (r->fields & RULE_HAS_HEDGE_DELAY)
		return r->hedge_delay_ms * NS_PER_MS;
	if (!c->env->fast_syn)
		return HEDGE_SLOW_NS;
	delay = 3 * atomic_load_explicit(&t->connect_us, memory_order_relaxed) * NS_PER_US;
	if (delay < HEDGE_MIN_NS)
		return HEDGE_MIN_NS;
	return delay > HEDGE_MAX_NS ? HEDGE_MAX_NS : delay;
}

static uint32_t connect_timeout_ms(const struct rule *r)
{
	return r->fields & RULE_HAS_CONNECT_TIMEOUT ? r->connect_timeout_ms
						    : RULE_CONNECT_TIMEOUT_MS;
}

static void count_hedge(const struct conn *c, const struct target *t)
{
	atomic_fetch_add_explicit(&c->service->totals->hedged, 1, memory_order_relaxed);
	log_event(LOG_DEBUG, "connection.hedged", LOGF_UINT("rule", c->service->rule->id),
		  LOGF_STR("target", t->host), LOGF_UINT("target_port", t->port));
}

/* A target is connected: its fd stays registered as it is, the other tries are left to themselves. */
static void won(struct conn *c, unsigned row, int fd, unsigned slot, uint32_t events)
{
	struct dial *d = c->dial;
	struct conn_env *env = c->env;
	struct target *t = c->service->target[row];

	if (d->first != row && d->try[d->first])
		count_hedge(c, t);
	for (unsigned i = 0; i < RULE_TARGETS_MAX; i++)
		if (d->try[i] && i != row)
			upstream_detach(d->try[i]);
	drop_dial(c);
	c->state = CONN_RELAYING;
	c->fd[TARGET] = fd;
	c->slot = (uint8_t)slot;
	c->target = target_ref(t);
	atomic_fetch_add_explicit(&t->carried, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&t->active, 1, memory_order_relaxed);
	if (t->slot && account_tag_client(env->account, c->fd[CLIENT], t->totals->rule_id, t->slot))
		atomic_fetch_add_explicit(&t->totals->untagged, 1, memory_order_relaxed);
	c->half[CLIENT].flags |= HALF_NODELAY;
	c->active_ms = now_ms(env);
	if (c->service->rule->idle_timeout_secs)
		arm_idle(c);
	note_events(c, TARGET, events);
	pump(c);
}

static void on_dialled(struct upstream *up, int result)
{
	struct conn *c = upstream_arg(up);
	struct dial *d = c->dial;
	unsigned row = (upstream_slot(up) - 1) / RESOLVE_ADDRS_MAX;

	d->try[row] = NULL;
	d->pending--;
	if (result >= 0)
		won(c, row, result, upstream_slot(up), upstream_events(up));
	else
		start_next(d);
}

/* When the next candidate is due beside those pending, or the walk ends. */
static void arm_dial(struct dial *d, const struct target *latest)
{
	struct conn *c = d->conn;
	uint64_t at = d->deadline_ns, delay = hedge_delay_ns(c, latest);

	if (delay && service_next(c->service, d->dialled) >= 0 && c->env->loop->now_ns + delay < at)
		at = c->env->loop->now_ns + delay;
	timer_set(&c->env->loop->timers, &d->timer, at);
}

/* Dials the next candidate. With none left and none pending the connection ends. */
static void start_next(struct dial *d)
{
	struct conn *c = d->conn;
	int row, result;

	while ((row = service_next(c->service, d->dialled)) >= 0) {
		struct upstream_want want = {
			.target = c->service->target[row],
			.timeout_ms = connect_timeout_ms(c->service->rule),
			.prefer_ipv6 = c->service->rule->prefer_ipv6,
			.io = &c->io,
			.slot = 1 + (unsigned)row * RESOLVE_ADDRS_MAX,
			.done = on_dialled,
			.arg = c,
		};

		if (!d->dialled)
			d->first = (uint8_t)row;
		d->dialled |= (uint8_t)(1u << row);
		d->try[row] = upstream_start(&c->env->upstream, &want, &result);
		if (d->try[row]) {
			d->pending++;
			arm_dial(d, want.target);
			return;
		}
	}
	if (d->pending)
		timer_set(&c->env->loop->timers, &d->timer, d->deadline_ns);
	else
		conn_close(c, END_NO_TARGET);
}

static void on_dial_timer(struct timer *timer)
{
	struct dial *d = (struct dial *)((char *)timer - offsetof(struct dial, timer));

	if (d->conn->env->loop->now_ns >= d->deadline_ns) {
		conn_close(d->conn, END_NO_TARGET);
		return;
	}
	start_next(d);
}

/* ---- events ---- */

static void on_conn_event(struct io *io, unsigned slot, uint32_t events)
{
	struct conn *c = (struct conn *)io;

	switch ((enum conn_state)c->state) {
	case CONN_DIALLING:
		if (slot != CLIENT_SLOT) {
			unsigned i = slot - 1;
			struct upstream *up = c->dial->try[i / RESOLVE_ADDRS_MAX];

			if (up)
				upstream_event(up, i % RESOLVE_ADDRS_MAX, events);
			return;
		}
		/* RDHUP alone is a legitimate half-close: a request, then FIN. */
		note_events(c, CLIENT, events);
		if (events & (EPOLLERR | EPOLLHUP))
			conn_close(c, END_CLIENT_GONE);
		return;
	case CONN_RELAYING:
		if (slot != CLIENT_SLOT && slot != c->slot)
			return;
		note_events(c, slot == CLIENT_SLOT ? CLIENT : TARGET, events);
		pump(c);
		return;
	case CONN_ABORTING:
		if ((slot == CLIENT_SLOT ? CLIENT : TARGET) != c->dead_leg &&
		    (events & (EPOLLERR | EPOLLHUP)))
			conn_close(c, reset_by(c->dead_leg));
		return;
	case CONN_CLOSED:
		return;
	}
}

void conn_new(struct conn_env *env, struct service *service, int fd)
{
	struct conn *c = slab_alloc(&env->conns);
	struct dial *d = slab_alloc(&env->dials);

	atomic_fetch_add_explicit(&service->totals->accepted, 1, memory_order_relaxed);
	if (!c || !d || loop_add(env->loop, fd, &c->io, CLIENT_SLOT, CLIENT_EVENTS) < 0) {
		atomic_fetch_add(&service->totals->ended[END_LOCAL], 1);
		if (c)
			slab_free(&env->conns, c);
		if (d)
			slab_free(&env->dials, d);
		close_with_rst(fd);
		return;
	}
	c->io.event = on_conn_event;
	c->env = env;
	c->service = service_ref(service);
	c->work.run = on_work;
	c->timer.fire = on_conn_timer;
	c->fd[CLIENT] = fd;
	c->fd[TARGET] = -1;
	c->half[TARGET].flags = HALF_WRITABLE;
	c->started_ms = c->active_ms = now_ms(env);
	c->next = env->head;
	c->prev = &env->head;
	if (c->next)
		c->next->prev = &c->next;
	env->head = c;
	atomic_fetch_add_explicit(&env->n, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&service->totals->active, 1, memory_order_relaxed);

	c->dial = d;
	d->conn = c;
	d->timer.fire = on_dial_timer;
	d->deadline_ns = env->loop->now_ns + RULE_WALK_TIMEOUT_MS * NS_PER_MS;
	d->next = env->dialing;
	d->prev = &env->dialing;
	if (d->next)
		d->next->prev = &d->next;
	env->dialing = d;
	start_next(d);
}

/* ---- seen from outside ---- */

void conn_health_changed(struct conn_env *env)
{
	struct dial *d, *next;

	for (d = env->dialing; d; d = next) {
		bool hopeless = true;

		next = d->next;
		/* Only those whose every pending candidate is Failed now need not wait for it. */
		for (unsigned row = 0; row < d->conn->service->n; row++) {
			struct target *t = d->conn->service->target[row];

			if (d->try[row] && health_state(&t->health) == HEALTH_HEALTHY)
				hopeless = false;
		}
		if (hopeless && d->conn->service->monitored)
			start_next(d);
	}
}

static struct conn_view view(const struct conn *c)
{
	struct conn_view v = {
		.service = c->service,
		.target = c->target,
		.row = -1,
		.client_fd = c->fd[CLIENT],
		.target_fd = c->fd[TARGET],
		.age_ms = now_ms(c->env) - c->started_ms,
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

static void keepalive_on(int fd)
{
	static const int on = 1, idle_s = 60, every_s = 10, probes = 3;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

/*
 * Whether the peer of @leg owes us an answer and gave none for the sweep's limit. The time since the
 * last acknowledgment alone does not say so: after an idle hour it is an hour. So it counts from the
 * first look that saw bytes outstanding.
 */
static bool peer_is_dead(struct conn *c, int leg)
{
	uint32_t now = now_ms(c->env) | 1, *since = &c->silent_ms[leg];
	struct tcp_info ti;
	socklen_t len = sizeof(ti);
	int outstanding = 0;

	/* SIOCOUTQ counts the unacknowledged and the unsent (tcp(7)). */
	if (ioctl(c->fd[leg], SIOCOUTQ, &outstanding) < 0 || outstanding <= 0 ||
	    getsockopt(c->fd[leg], IPPROTO_TCP, TCP_INFO, &ti, &len) < 0) {
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
				keepalive_on(c->fd[TARGET]);
			c->swept = true;
			if (!((c->half[CLIENT].flags | c->half[TARGET].flags) & HALF_RESET) &&
			    (peer_is_dead(c, CLIENT) || peer_is_dead(c, TARGET)))
				conn_close(c, END_DEAD_PEER);
		}
		c = next;
	}
	return env->sweep_next != NULL;
}
