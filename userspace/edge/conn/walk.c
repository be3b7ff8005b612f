// SPDX-License-Identifier: MIT
/* The walk over a rule's targets: who is dialled when, and who wins. */
#include "edge/conn/walk.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/account/account.h"
#include "edge/conn/core.h"
#include "edge/conn/legs.h"
#include "edge/conn/relaying.h"
#include "edge/conn/prelude.h"
#include "edge/conn/sni_table.h"
#include "edge/conn/proxy_parse.h"
#include "edge/target/choose.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"
#include "lib/rule/span.h"

/*
 * Hedging (Documentation/failover.md): the delay's bounds, and where lost SYNs are only retried after a
 * second, a delay that outlasts one retry. Of a target whose usual connect time nobody knows yet, the
 * longest: a living primary keeps its first client too.
 */
#define HEDGE_MIN_NS  (300 * NS_PER_MS)
#define HEDGE_MAX_NS  (1000 * NS_PER_MS)
#define HEDGE_SLOW_NS (1200 * NS_PER_MS)

/* So long a target that got its header may take to say that it does not like it: some round trips, and
 * a repeated segment. */
#define AWAIT_NS (1000 * NS_PER_MS)

#define LOOK_SHARE 256 /* walks a turn, after a change of health */

/* One client's walk over its rule's targets; given back when one has won. */
struct walk {
	struct conn *conn;
	LIST_ENTRY(walk) entry;
	struct timer timer;
	uint64_t expected_slot; /* of accounting; the client's socket has it from birth */
	uint64_t deadline_ns;	/* of the whole walk */
	struct dial *dial[RULE_TARGETS_MAX]; /* by row */
	const uint8_t *order;		     /* in which the rows are tried */
	uint8_t own_order[RULE_TARGETS_MAX]; /* where that is this walk's own */
	uint8_t dialled;		     /* rows, a bit each */
	uint8_t pending_when_started
		[RULE_TARGETS_MAX]; /* by row: which rows were pending when it was begun */
	struct conn_peer *peer;	    /* the connection's, while it has none itself */
	uint16_t header;	    /* of a balancer: so many bytes precede the client's */
	struct prelude prelude;
	/*
	 * A target that got its header, and that nobody has said anything since: what it makes of the
	 * header is not known yet. -1: there is none.
	 */
	int fd;
	uint32_t events; /* seen on it */
	uint8_t fd_slot, fd_row;
	bool ours, theirs; /* a dial failed by this host's fault, by the target's */
};

static void start_next(struct walk *w);

void conn_walks_close(struct conn_env *env)
{
	slab_close(&env->walks);
}

static uint64_t hedge_delay_ns(const struct conn *c, const struct target *t)
{
	const struct rule *r = c->service->rule;
	uint64_t usual, delay;

	if (r->fields & RULE_HAS_HEDGE_DELAY)
		return r->hedge_delay_ms * NS_PER_MS;
	usual = atomic_load_explicit(&t->connect_us, memory_order_relaxed) * NS_PER_US;
	if (!c->env->fast_syn)
		delay = HEDGE_SLOW_NS;
	else if (!usual || 3 * usual > HEDGE_MAX_NS)
		delay = HEDGE_MAX_NS;
	else
		delay = 3 * usual < HEDGE_MIN_NS ? HEDGE_MIN_NS : 3 * usual;
	/* So far away that it is never sooner: then later than usual. */
	return delay < usual + usual / 2 ? usual + usual / 2 : delay;
}

static void count_hedge(const struct conn *c, const struct target *t)
{
	cell_add(&conn_totals(c)->hedged, 1);
	log_event(LOG_DEBUG, "connection.hedged", LOGF_UINT("rule", c->service->rule->id),
		  LOGF_STR("target", t->host), LOGF_UINT("target_port", t->port));
}

static uint8_t pending_rows(const struct walk *w)
{
	uint8_t rows = 0;

	for (unsigned row = 0; row < RULE_TARGETS_MAX; row++)
		rows |= (uint8_t)((w->dial[row] != NULL) << row);
	return rows;
}

static void count_dialling(const struct conn *c, unsigned row, uint64_t more)
{
	cell_add(&target_cell(c->service->target[row], c->env->dials.worker)->dialling, more);
}

static bool has_header(const struct conn *c, unsigned row)
{
	return c->service->rule->targets[row].proxy != RULE_PROXY_NONE;
}

/* Pending dials are abandoned, or go on to their own result. Their rows. */
static uint8_t leave_dials(struct walk *w, bool abandon)
{
	uint8_t rows = pending_rows(w);

	for (unsigned row = 0; row < RULE_TARGETS_MAX; row++) {
		if (!w->dial[row])
			continue;
		count_dialling(w->conn, row, -1ull);
		if (abandon)
			dial_abandon(w->dial[row]);
		else
			dial_detach(w->dial[row]);
		w->dial[row] = NULL;
	}
	return rows;
}

/* The connection to the target that got its header, no longer the walk's. */
static int take_fd(struct walk *w)
{
	int fd = w->fd;

	w->fd = -1;
	count_dialling(w->conn, w->fd_row, -1ull);
	return fd;
}

/* Gives the walk back, and what it still holds. */
static void end_walk(struct conn *c, bool abandon)
{
	struct walk *w = c->walk;
	struct conn_peer *peer = w->peer;

	leave_dials(w, abandon);
	if (w->fd >= 0)
		close(take_fd(w));
	timer_clear(&c->env->loop->timers, &w->timer);
	if (c->env->look_next == w)
		c->env->look_next = LIST_NEXT(w, entry);
	LIST_REMOVE(w, entry);
	slab_free(&c->env->walks, w);
	c->end = NULL;
	c->peer = peer;
}

/* The connection closes before a target was connected. */
static void on_conn_end(struct conn *c, enum end_reason reason)
{
	end_walk(c, reason == END_CLIENT_GONE);
}

/* By which kind of pattern connections got to their targets; one that got none counts as failed. */
static void count_match(const struct conn *c)
{
	struct totals_cell *totals = conn_totals(c);

	cell_add(c->match == SNI_EXACT	    ? &totals->sni_exact
		 : c->match == SNI_WILDCARD ? &totals->sni_wildcard
					    : &totals->sni_fallback,
		 1);
}

/* The balancer's header has had its use, and what follows is the client's. It was seen whole. */
static void skip_header(const struct walk *w)
{
	uint8_t header[PROXY_PARSE_MAX];

	if (w->header)
		recv(w->conn->fd[CLIENT], header, w->header, MSG_DONTWAIT);
}

/* A target is connected: its fd stays registered as it is, the other dials go on by themselves. */
static void won(struct conn *c, unsigned row, int fd, unsigned slot, uint32_t events)
{
	struct walk *w = c->walk;
	struct target *t = c->service->target[row];

	if (w->pending_when_started[row] & pending_rows(w))
		count_hedge(c, t);
	/* Before the client's socket is read from or written to: that settles whose bytes it has. */
	if (account_tag_behind(c->env->account, c->fd[CLIENT], t->totals->rule_id, t->slot,
			       w->expected_slot, w->header) < 0)
		cell_add(&conn_totals(c)->untagged, 1);
	skip_header(w);
	if (c->match)
		count_match(c);
	end_walk(c, false);
	c->fd[TARGET] = fd;
	c->slot = (uint8_t)slot;
	c->target = target_ref(t);
	conn_relay_begin(c, events);
}

/* Whether bytes of the client wait behind a balancer's header of that length. */
static bool client_has_said(int fd, unsigned header)
{
	uint8_t seen[PROXY_PARSE_MAX + 1];

	return recv(fd, seen, header + 1, MSG_PEEK | MSG_DONTWAIT) > (ssize_t)header;
}

/* Whether this host alone is why no target could be dialled decides what the end is called. */
static void note_error(struct walk *w, int result)
{
	if (dial_is_ours(-result))
		w->ours = true;
	else
		w->theirs = true;
}

/* The target that got its header is the one: it is heard of, or the client is. */
static void introduced(struct walk *w)
{
	int fd = take_fd(w);

	target_connected(w->conn->service->target[w->fd_row], false);
	won(w->conn, w->fd_row, fd, w->fd_slot, w->events);
}

/*
 * The header is sent and the client silent. A target that does not like the header resets the connection
 * now, and nothing is lost that the next one would not get. The others need not go on meanwhile.
 */
static void await_word(struct walk *w, struct dial *d, int fd, unsigned row)
{
	struct conn *c = w->conn;
	uint64_t until = c->env->loop->now_ns + AWAIT_NS;

	w->fd = fd;
	w->fd_row = (uint8_t)row;
	count_dialling(c, row, 1);
	w->fd_slot = (uint8_t)dial_slot(d);
	w->events = dial_events(d);
	w->dialled &= (uint8_t)~leave_dials(w, false);
	timer_set(&c->env->loop->timers, &w->timer,
		  until < w->deadline_ns ? until : w->deadline_ns);
}

/* The target has reset the connection after its header: it has failed, and the next one gets the client. */
static void not_taken(struct walk *w, int err)
{
	close(take_fd(w));
	target_report(w->conn->service->target[w->fd_row], err);
	note_error(w, -err);
	start_next(w);
}

/* Events of the target that got its header. */
static void on_word(struct walk *w, uint32_t events)
{
	socklen_t len = sizeof(int);
	int err = 0;
	char byte;

	w->events |= events;
	/* What it has sent before it reset the connection is the client's to see. */
	if (events & (EPOLLERR | EPOLLHUP) && recv(w->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	    errno != EAGAIN)
		err = errno;
	if (!err && events & EPOLLERR)
		getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err)
		not_taken(w, err);
	else if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP))
		introduced(w);
}

static void on_dialled(struct dial *d, int result)
{
	struct conn *c = dial_arg(d);
	struct walk *w = c->walk;
	unsigned row = (dial_slot(d) - 1) / DIAL_TRIES;

	w->dial[row] = NULL;
	count_dialling(c, row, -1ull);
	if (result >= 0) {
		bool follows = has_header(c, row) && (c->direction[CLIENT].holds ||
						      client_has_said(c->fd[CLIENT], w->header));
		int rc = prelude_send(&w->prelude, c->service->rule, row, follows, result);

		if (!rc) {
			await_word(w, d, result, row);
			return;
		}
		if (rc > 0) {
			if (has_header(c, row))
				target_connected(c->service->target[row], false);
			won(c, row, result, dial_slot(d), dial_events(d));
			return;
		}
		/* It took the connection and not the header: as good as refused. */
		close(result);
		if (!dial_is_ours(-rc))
			target_report(c->service->target[row], -rc);
		result = rc;
	}
	note_error(w, result);
	start_next(w);
}

/* When the next candidate is due beside those pending, or the walk ends. */
static void arm_walk(struct walk *w, const struct target *latest)
{
	struct conn *c = w->conn;
	uint64_t at = w->deadline_ns, delay = hedge_delay_ns(c, latest);

	if (delay && service_next(c->service, w->order, w->dialled) >= 0 &&
	    c->env->loop->now_ns + delay < at)
		at = c->env->loop->now_ns + delay;
	timer_set(&c->env->loop->timers, &w->timer, at);
}

/* Dials the next candidate. With none left and none pending the connection ends. */
static void start_next(struct walk *w)
{
	struct conn *c = w->conn;
	int row, result;

	while ((row = service_next(c->service, w->order, w->dialled)) >= 0) {
		struct dial_want want = {
			.target = c->service->target[row],
			.source = c->service->source,
			.port = rule_target_port(c->service->rule, (unsigned)row, c->listen_port),
			.timeout_ms = rule_connect_timeout_ms(c->service->rule),
			.prefer_ipv6 = c->service->rule->prefer_ipv6,
			.mss = rule_relay_wanted(c->service->rule) ? conn_client_mss(c) : 0,
			.hops = c->hops + 1u,
			.own_verdict = has_header(c, (unsigned)row),
			.prelude = prelude_len(&w->prelude, c->service->rule, (unsigned)row),
			.io = &c->io,
			.slot = 1 + (unsigned)row * DIAL_TRIES,
			.done = on_dialled,
			.arg = c,
		};

		w->pending_when_started[row] = pending_rows(w);
		w->dialled |= (uint8_t)(1u << row);
		w->dial[row] = dial_start(&c->env->dials, &want, &result);
		if (w->dial[row]) {
			count_dialling(c, (unsigned)row, 1);
			arm_walk(w, want.target);
			return;
		}
		note_error(w, result);
	}
	if (pending_rows(w))
		timer_set(&c->env->loop->timers, &w->timer, w->deadline_ns);
	else
		conn_close(c, w->ours && !w->theirs ? END_LOCAL : END_NO_TARGET);
}

static void on_walk_timer(struct timer *timer)
{
	struct walk *w = container_of(timer, struct walk, timer);

	/* Whoever keeps the connection so long without a word has taken the header. */
	if (w->fd >= 0) {
		introduced(w);
		return;
	}
	/* An answer that is here already needs neither a hedge nor a verdict. */
	for (unsigned row = 0; row < RULE_TARGETS_MAX; row++)
		if (w->dial[row] && !dial_look(w->dial[row]))
			return;
	if (w->conn->env->loop->now_ns >= w->deadline_ns) {
		conn_close(w->conn, END_NO_TARGET);
		return;
	}
	start_next(w);
}

/* In which order this client's walk tries the targets. */
static void choose(struct walk *w)
{
	const struct service *s = w->conn->service;
	union addr client = {.sa.sa_family = AF_INET};
	socklen_t len = sizeof(client);

	/* One that has gone again has no address, and needs no target. */
	if (w->peer && w->peer->announced)
		client = w->peer->client;
	else if (service_needs_client(s))
		getpeername(w->conn->fd[CLIENT], &client.sa, &len);
	w->order = service_choose(s, &client, w->own_order);
}

void conn_walk_begin(struct conn *c, uint64_t expected_slot, struct conn_peer *peer,
		     unsigned header)
{
	struct conn_env *env = c->env;
	struct walk *w = slab_alloc(&env->walks);

	if (!w) {
		c->peer = peer;
		conn_close(c, END_LOCAL);
		return;
	}
	w->conn = c;
	w->expected_slot = expected_slot;
	w->peer = peer;
	w->header = (uint16_t)header;
	w->timer.fire = on_walk_timer;
	w->fd = -1;
	w->deadline_ns = env->loop->now_ns + rule_walk_timeout_ms(c->service->rule) * NS_PER_MS;
	LIST_INSERT_HEAD(&env->walking, w, entry);
	c->walk = w;
	c->end = on_conn_end;
	prelude_begin(&w->prelude, c->service->rule, c->fd[CLIENT],
		      peer && peer->announced ? peer : NULL);
	choose(w);
	start_next(w);
}

void conn_walk_event(struct conn *c, unsigned slot, uint32_t events)
{
	unsigned i = slot - 1;
	struct dial *d = c->walk->dial[i / DIAL_TRIES];

	if (c->walk->fd >= 0 && slot == c->walk->fd_slot)
		on_word(c->walk, events);
	else if (d)
		dial_event(d, i % DIAL_TRIES, events);
}

void conn_walk_client_spoke(struct conn *c)
{
	const struct walk *w = c->walk;

	/* The event may have been of the header. An end without a byte is passed on, too. */
	if (w->fd >= 0 && (!w->header || (c->direction[CLIENT].flags & DIR_FIN) ||
			   client_has_said(c->fd[CLIENT], w->header)))
		introduced(c->walk);
}

const struct conn_peer *conn_peer_of(const struct conn *c)
{
	return c->end ? c->walk->peer : c->peer;
}

/*
 * Whether every pending candidate is Failed now, while a Healthy one is left: then there is no reason to
 * wait for the former. A strict rule waits for the failure itself (hedge_delay_ms 0).
 */
static bool is_hopeless(const struct walk *w)
{
	const struct service *s = w->conn->service;
	int row = service_next(s, w->order, w->dialled);

	if (w->fd >= 0 || row < 0 || !s->monitored || !hedge_delay_ns(w->conn, s->target[row]) ||
	    health_state(&s->target[row]->health) != HEALTH_HEALTHY)
		return false;
	for (row = 0; row < s->n; row++)
		if (w->dial[row] && health_state(&s->target[row]->health) == HEALTH_HEALTHY)
			return false;
	return true;
}

static void look_at_some(struct work *work)
{
	struct conn_env *env = container_of(work, struct conn_env, look);

	loop_does(env->loop, "looking at walks after a change of health");
	for (unsigned share = LOOK_SHARE; share && env->look_next; share--) {
		struct walk *w = env->look_next;

		env->look_next = LIST_NEXT(w, entry);
		if (is_hopeless(w))
			start_next(w);
	}
	if (env->look_next)
		loop_work(env->loop, &env->look);
}

void conn_health_changed(struct conn_env *env)
{
	env->look_next = LIST_FIRST(&env->walking);
	loop_work(env->loop, &env->look);
}

void conn_walks_init(struct conn_env *env)
{
	slab_init(&env->walks, sizeof(struct walk));
	LIST_INIT(&env->walking);
	env->look.run = look_at_some;
}
