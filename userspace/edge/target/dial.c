// SPDX-License-Identifier: MIT
/* Dialling one target: all addresses of its name, one time limit, one verdict. */
#include "edge/target/dial.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/resolve/resolve.h"
#include "edge/account/tag.h"
#include "edge/target/connect.h"
#include "edge/target/hops.h"
#include "edge/target/source.h"
#include "edge/target/target.h"
#include "lib/base/container_of.h"
#include "lib/rule/rule.h"

/* Addresses are no closer together than this, however many have to fit the time (RFC 8305, 5). */
#define STAGGER_MIN_NS (10 * NS_PER_MS)
/* Dials a turn, when names were resolved. */
#define LOOK_SHARE 128
/* So long a dial whose addresses have all failed waits for what the name has now. */
#define AGAIN_NS (250 * NS_PER_MS)

/* A connect under way. */
struct
try {
	int fd; /* -1: none */
	uint8_t address;
	uint64_t started_ns;
	uint64_t turn_ns; /* of the loop, in which the fd was registered: its events come later */
};

struct dial {
	struct io io; /* of a probe, and after detaching */
	struct dial_env *env;
	struct dial_want want;
	LIST_ENTRY(dial) entry; /* among all of the worker */
	struct resolve_waiter waiter;
	struct timer timer;
	uint64_t deadline_ns;
	uint64_t next_address_ns;
	uint64_t stagger_ns;
	struct try try[DIAL_TRIES];
	struct resolve_addrs addrs;
	uint32_t trials; /* addresses, a bit each, that failed some time ago and are tried again */
	struct deferred_free deferred;
	uint32_t events;	    /* of the winner */
	int their_error, our_error; /* the last failure by the target's fault, by this host's */
	uint8_t started;	    /* addresses begun */
	uint8_t in_flight;	    /* of these, without a result */
	uint8_t winner;
	bool again; /* the name was asked for again: no second time */
	bool detached;
	bool over; /* freed after the batch */
};

_Static_assert(RULE_TARGETS_MAX *DIAL_TRIES < IO_SLOTS,
	       "a slot for each try of each target, and slot 0 for the client");

void dial_env_close(struct dial_env *env)
{
	slab_close(&env->slab);
}

static void free_dial(struct deferred_free *deferred)
{
	struct dial *d = container_of(deferred, struct dial, deferred);

	slab_free(&d->env->slab, d);
}

/* What this worker counts of the target, and of its rule. */
static struct target_cell *mine(const struct dial *d)
{
	return target_cell(d->want.target, d->env->worker);
}

static struct totals_cell *rules(const struct dial *d)
{
	return totals_cell(d->want.target->totals, d->env->worker);
}

static void count(struct dial *d, atomic_ullong *counter)
{
	if (!d->want.probe)
		cell_add(counter, 1);
}

/* What one address did is worth remembering where there are others. */
static void remember(struct dial *d, const struct try *t, bool worked)
{
	struct memory *m = &d->want.target->memory;
	const union addr *a = &d->addrs.addr[t->address];

	if (d->addrs.n < 2)
		return;
	if (worked)
		memory_worked(m, a);
	else
		memory_failed(m, a, clock_mono_ns());
}

/* Closes one socket, whose result is counted elsewhere. */
static void close_try(struct dial *d, struct try *t)
{
	close(t->fd);
	t->fd = -1;
	d->in_flight--;
}

/* Closes all sockets without a result of their own, counting them where they belong. */
static void drop_all(struct dial *d, atomic_ullong *counter)
{
	for (unsigned i = 0; i < DIAL_TRIES; i++) {
		if (d->try[i].fd < 0)
			continue;
		close_try(d, &d->try[i]);
		count(d, counter);
	}
}

static void release(struct dial *d)
{
	struct target *t = d->want.target;

	d->over = true;
	resolve_cancel(d->env->resolver, &d->waiter);
	LIST_REMOVE(d, entry);
	timer_clear(&d->env->loop->timers, &d->timer);
	if (d->detached)
		mine(d)->detached--;
	target_unref(t);
	source_unref(d->want.source);
	loop_defer_free(d->env->loop, &d->deferred, free_dial);
}

/*
 * What the failure of all addresses is called. One that failed by the target's fault is enough: what
 * this host could not do for another address says nothing against that. To whoever waits, an error
 * that could be taken for ours is the target out of reach.
 */
static int failure(struct dial *d)
{
	int err = d->their_error;

	if (!err)
		return d->our_error ? -d->our_error : -EHOSTUNREACH;
	return dial_is_ours(err) ? -EHOSTUNREACH : -err;
}

/* The port that is dialled. */
static uint16_t port_of(const struct dial *d)
{
	return d->want.port ? d->want.port : d->want.target->port;
}

/* A check of a port of its own is about the target as a whole. */
static void report_failure(struct dial *d)
{
	if (d->want.probe)
		target_report(d->want.target, d->their_error);
	else
		target_report_port(d->want.target, port_of(d), d->their_error);
}

/* The one verdict: health, then whoever waits. @result: a fd or -errno. */
static void finish(struct dial *d, int result)
{
	struct target *t = d->want.target;

	if (result >= 0 && (!d->want.own_verdict || d->detached))
		target_connected(t, d->want.probe);
	else if (result < 0 && d->their_error)
		report_failure(d);
	if (!d->detached)
		d->want.done(d, result);
	else if (result >= 0)
		close(result);
	release(d);
}

static void note_failure(struct dial *d, int err, bool at_once)
{
	if (connect_error_is_ours(err, at_once)) {
		d->our_error = err;
		count(d, &mine(d)->local_errors);
		return;
	}
	d->their_error = err;
	count(d, err == ETIMEDOUT ? &mine(d)->timed_out : &mine(d)->failed);
}

/* Takes the fd of @t as the result; the other addresses are no longer wanted. */
static int win(struct dial *d, struct try *t)
{
	uint64_t now = clock_mono_ns();
	int fd = t->fd;

	t->fd = -1;
	d->in_flight--;
	d->winner = (uint8_t)(t - d->try);
	count(d, &mine(d)->ok);
	connect_learn_time(d->want.target, fd, now - t->started_ns);
	remember(d, t, true);
	/* Whoever had a start of a whole stagger and was overtaken is no address to begin with. */
	for (unsigned i = 0; i < DIAL_TRIES; i++)
		if (d->try[i].fd >= 0 && d->try[i].started_ns + d->stagger_ns <= t->started_ns)
			remember(d, &d->try[i], false);
	drop_all(d, &mine(d)->abandoned);
	return fd;
}

/* A place for one more connect. When all are taken the oldest has had its time. */
static struct try *free_try(struct dial *d)
{
	struct try *oldest = NULL;

	for (unsigned i = 0; i < DIAL_TRIES; i++) {
		struct try *t = &d->try[i];

		if (t->fd < 0)
			return t;
		if (!oldest || t->started_ns < oldest->started_ns)
			oldest = t;
	}
	remember(d, oldest, false);
	close_try(d, oldest);
	note_failure(d, ETIMEDOUT, false);
	return oldest;
}

/* Starts a connect to address @i. Returns 0 while it is under way or done, else the errno. */
static int start_address(struct dial *d, unsigned i)
{
	struct io *io = d->want.io ? d->want.io : &d->io;
	struct dial_env *env = d->env;
	struct try *t = free_try(d);
	const struct account_tag tag = {.rule_id = d->want.target->totals->rule_id,
					.slot = d->want.target->slot,
					.prelude = d->want.prelude};
	unsigned slot = d->want.slot + (unsigned)(t - d->try);
	int fd, err;

	count(d, &mine(d)->attempted);
	t->address = (uint8_t)i;
	t->started_ns = clock_mono_ns();
	t->turn_ns = env->loop->now_ns;
	fd = connect_start(d->want.target, &d->addrs.addr[i], d->want.source,
			   d->want.probe ? NULL : &tag, env->account, env->worker, d->want.mss);
	if (fd < 0) {
		remember(d, t, false);
		return -fd;
	}
	if (!d->want.probe)
		hops_note(env->hops, fd, &d->addrs.addr[i], d->want.hops, t->started_ns);
	/* Only now: epoll reports a socket that has not begun to connect as OUT|HUP at once. A
	 * connect that is complete already is reported by the next epoll_wait. */
	err = loop_add(env->loop, fd, io, slot, IO_STREAM);
	if (err) {
		close(fd);
		return -err;
	}
	t->fd = fd;
	d->in_flight++;
	return 0;
}

static void arm(struct dial *d)
{
	uint64_t at = d->deadline_ns;

	if (d->started < d->addrs.n && d->next_address_ns < at)
		at = d->next_address_ns;
	/* Without memory for a timer the kernel's own SYN time-out ends the attempt. */
	timer_set(&d->env->loop->timers, &d->timer, at);
}

static int lookup(struct dial *d, struct resolve_addrs *out)
{
	const struct target *t = d->want.target;

	return resolve_lookup(d->env->resolver, t->host, port_of(d), d->want.prefer_ipv6, out,
			      &d->waiter);
}

/* The addresses are known: in which order they are tried, and how far apart, so that all of them
 * have their turn within three quarters of the time. */
static void set_out(struct dial *d)
{
	uint64_t share = d->want.timeout_ms * NS_PER_MS / 4 * 3 / (d->addrs.n ? d->addrs.n : 1);

	d->trials = memory_arrange(&d->want.target->memory, &d->addrs, d->env->loop->now_ns);
	d->stagger_ns = share < DIAL_STAGGER_NS ? share : DIAL_STAGGER_NS;
	if (d->stagger_ns < STAGGER_MIN_NS)
		d->stagger_ns = STAGGER_MIN_NS;
}

/*
 * All addresses have failed. They may be out of date whatever their TTL: waits a moment for what the
 * name has now. False: the verdict stands.
 */
static bool ask_again(struct dial *d)
{
	uint64_t until = d->env->loop->now_ns + AGAIN_NS;

	if (d->again || !d->their_error || !d->addrs.n)
		return false;
	d->again = true;
	if (!resolve_again(d->env->resolver, d->want.target->host, &d->waiter))
		return false;
	if (until < d->deadline_ns)
		d->deadline_ns = until;
	return true;
}

/*
 * Starts the next addresses, until one is under way. Returns 0, or -errno when none is left, none is
 * pending, and the name has no others.
 */
static int advance(struct dial *d)
{
	while (d->started < d->addrs.n) {
		unsigned i = d->started++;
		int err = start_address(d, i);

		if (!err) {
			d->next_address_ns = d->env->loop->now_ns +
					     (d->trials >> i & 1 ? 0 : d->stagger_ns);
			break;
		}
		note_failure(d, err, true);
	}
	return d->in_flight || d->waiter.waiting || ask_again(d) ? 0 : failure(d);
}

/* A name failed: the target's fault, unless this host could not ask. */
static int name_failed(struct dial *d, int err)
{
	count(d, &mine(d)->attempted);
	count(d, &rules(d)->dns_failures);
	if (connect_error_is_ours(-err, true)) {
		d->our_error = -err;
		count(d, &mine(d)->local_errors);
	} else {
		d->their_error = -err;
		count(d, &mine(d)->failed);
	}
	/* No address: to whoever waits the target is unreachable. */
	return err == -ENOENT ? -EHOSTUNREACH : err;
}

/* Goes on after something has changed, or ends. @err: 0, or how it ends. */
static void go_on(struct dial *d, int err)
{
	if (err)
		finish(d, err);
	else
		arm(d);
}

/* Of @fresh, keeps in the dial those that it has not tried. */
static void take_new_ones(struct dial *d, const struct resolve_addrs *fresh)
{
	struct resolve_addrs new = {.n = 0};

	for (unsigned i = 0; i < fresh->n; i++) {
		bool tried = false;

		for (unsigned k = 0; k < d->addrs.n && !tried; k++)
			tried = addr_equal(&d->addrs.addr[k], &fresh->addr[i]);
		if (!tried)
			new.addr[new.n++] = fresh->addr[i];
	}
	d->addrs = new;
	d->started = 0;
	set_out(d);
}

/* The name that the dial waited for has news, or its time is over. Waits for it no longer. */
static void name_known(struct dial *d, int err, const struct resolve_addrs *fresh)
{
	resolve_cancel(d->env->resolver, &d->waiter);
	if (d->again) {
		if (err) {
			finish(d, failure(d));
			return;
		}
		d->deadline_ns = d->env->loop->now_ns + d->want.timeout_ms * NS_PER_MS;
		take_new_ones(d, fresh);
		go_on(d, advance(d));
		return;
	}
	if (err) {
		finish(d, name_failed(d, err));
		return;
	}
	d->addrs = *fresh;
	set_out(d);
	go_on(d, advance(d));
}

/*
 * The name's addresses may be here, and only the job that says so not. Then, and when it is this host
 * that has not asked or not listened yet, the time-out begins anew: it is not the target that was slow.
 */
static void look_for_name(struct dial *d)
{
	uint64_t now = d->env->loop->now_ns;
	struct resolve_addrs fresh;
	int err;

	if (now < d->deadline_ns || d->again)
		return;
	if (resolve_is_late(d->env->resolver, &d->waiter)) {
		d->deadline_ns = now + d->want.timeout_ms * NS_PER_MS;
		return;
	}
	resolve_cancel(d->env->resolver, &d->waiter);
	err = lookup(d, &fresh);
	if (err == -EAGAIN)
		return;
	d->deadline_ns = now + d->want.timeout_ms * NS_PER_MS;
	name_known(d, err, &fresh);
}

bool dial_look(struct dial *d)
{
	struct pollfd p[DIAL_TRIES];

	if (d->waiter.waiting)
		look_for_name(d);
	for (unsigned i = 0; i < DIAL_TRIES; i++)
		p[i] = (struct pollfd){.fd = d->try[i].fd, .events = POLLIN | POLLOUT | POLLRDHUP};
	if (d->over || !d->in_flight || poll(p, DIAL_TRIES, 0) <= 0)
		return !d->over;
	/* Bits of poll(2) and of epoll(7) are the same. */
	for (unsigned i = 0; i < DIAL_TRIES && !d->over; i++) {
		if (!p[i].revents || d->try[i].fd != p[i].fd)
			continue;
		d->try[i].turn_ns = 0;
		dial_event(d, i, (uint16_t)p[i].revents);
	}
	return !d->over;
}

static void time_is_over(struct dial *d)
{
	if (d->waiter.waiting && !d->again) {
		finish(d, name_failed(d, -ETIMEDOUT));
		return;
	}
	if (d->in_flight) {
		d->their_error = ETIMEDOUT;
		for (unsigned i = 0; i < DIAL_TRIES; i++)
			if (d->try[i].fd >= 0)
				remember(d, &d->try[i], false);
		drop_all(d, &mine(d)->timed_out);
		if (ask_again(d)) {
			arm(d);
			return;
		}
	}
	finish(d, failure(d));
}

static void on_timer(struct timer *timer)
{
	struct dial *d = container_of(timer, struct dial, timer);
	uint64_t now = d->env->loop->now_ns;

	if (!dial_look(d))
		return;
	if (now >= d->deadline_ns)
		time_is_over(d);
	else if (d->waiter.waiting)
		arm(d);
	else
		go_on(d, advance(d));
}

static void on_event(struct io *io, unsigned slot, uint32_t events)
{
	dial_event((struct dial *)io, slot, events);
}

static struct dial *new_dial(struct dial_env *env, const struct dial_want *want)
{
	struct dial *d = slab_alloc(&env->slab);

	if (!d)
		return NULL;
	d->io.event = on_event;
	d->timer.fire = on_timer;
	d->waiter.inbox = &env->inbox;
	d->env = env;
	d->want = *want;
	if (!want->io)
		d->want.slot = 0;
	LIST_INSERT_HEAD(&env->all, d, entry);
	target_ref(want->target);
	source_ref(want->source);
	d->deadline_ns = env->loop->now_ns + want->timeout_ms * NS_PER_MS;
	for (unsigned i = 0; i < DIAL_TRIES; i++)
		d->try[i].fd = -1;
	return d;
}

struct dial *dial_start(struct dial_env *env, const struct dial_want *want, int *result)
{
	struct dial *d = new_dial(env, want);
	int err;

	if (!d) {
		*result = -ENOMEM;
		return NULL;
	}
	err = lookup(d, &d->addrs);
	if (err == -EAGAIN) {
		d->addrs.n = 0;
		arm(d);
		return d;
	}
	if (err) {
		d->addrs.n = 0;
		err = name_failed(d, err);
	} else {
		set_out(d);
		err = advance(d);
	}
	if (err) {
		if (d->their_error)
			report_failure(d);
		*result = err;
		release(d);
		return NULL;
	}
	arm(d);
	return d;
}

void dial_event(struct dial *d, unsigned index, uint32_t events)
{
	struct try *t = index < DIAL_TRIES ? &d->try[index] : NULL;
	int err;

	/* A socket that was registered in this turn has no event in it: that is of a former one. */
	if (!t || t->fd < 0 || t->turn_ns == d->env->loop->now_ns ||
	    !(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return;
	err = connect_result(t->fd, events);
	if (!err && connect_met_itself(t->fd, &d->addrs.addr[t->address], d->env->local_ports)) {
		/* Without a time-wait state, in which the port would stay taken. */
		setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
			   sizeof(struct linger));
		err = ECONNREFUSED;
	}
	if (!err) {
		d->events = events;
		finish(d, win(d, t));
		return;
	}
	remember(d, t, false);
	close_try(d, t);
	note_failure(d, err, false);
	go_on(d, advance(d));
}

unsigned dial_slot(const struct dial *d)
{
	return d->want.slot + d->winner;
}

uint32_t dial_events(const struct dial *d)
{
	return d->events;
}

void *dial_arg(const struct dial *d)
{
	return d->want.arg;
}

void dial_detach(struct dial *d)
{
	uint8_t *detached = &mine(d)->detached;

	if (*detached >= DIAL_DETACHED_MAX) {
		dial_abandon(d);
		return;
	}
	d->detached = true;
	++*detached;
	for (unsigned i = 0; i < DIAL_TRIES; i++)
		if (d->try[i].fd >= 0)
			loop_move(d->env->loop, d->try[i].fd, &d->io, i, IO_STREAM);
	d->want.io = NULL;
	d->want.slot = 0;
}

void dial_abandon(struct dial *d)
{
	drop_all(d, &mine(d)->abandoned);
	release(d);
}

void dial_abandon_all(struct dial_env *env)
{
	while (!LIST_EMPTY(&env->all)) {
		struct dial *d = LIST_FIRST(&env->all);

		if (!d->detached)
			d->want.done(d, -ECANCELED);
		dial_abandon(d);
	}
}

static void look_at_some(struct work *work)
{
	struct dial_env *env = container_of(work, struct dial_env, look);

	loop_does(env->loop, "dialling names that were resolved");
	/* One at a time: a done() may end others, which then leave the inbox by themselves. */
	for (unsigned share = LOOK_SHARE; share; share--) {
		struct resolve_waiter *w = resolve_next_ready(env->resolver, &env->inbox);
		struct resolve_addrs fresh;
		struct dial *d;
		int err;

		if (!w)
			return;
		d = container_of(w, struct dial, waiter);
		err = lookup(d, &fresh);
		if (err != -EAGAIN)
			name_known(d, err, &fresh);
	}
	loop_work(env->loop, &env->look);
}

void dial_names_ready(struct dial_env *env)
{
	loop_work(env->loop, &env->look);
}

/* On the worker's thread. */
static void on_names(struct job *job)
{
	dial_names_ready(container_of(job, struct dial_env, names));
}

/* On the resolver's thread. */
static void wake(struct resolve_inbox *inbox)
{
	struct dial_env *env = container_of(inbox, struct dial_env, inbox);

	loop_post(env->loop, &env->names);
}

void dial_env_init(struct dial_env *env)
{
	slab_init(&env->slab, sizeof(struct dial));
	env->look.run = look_at_some;
	env->names.run = on_names;
	env->inbox.wake = wake;
	LIST_INIT(&env->inbox.ready);
	env->local_ports = connect_local_ports();
}
