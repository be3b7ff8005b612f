// SPDX-License-Identifier: MIT
/* Dialling one target: all addresses of its name, one time limit, one verdict. */
#include "edge/upstream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/account.h"
#include "edge/ruleset.h"

#define EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

/* The least that the kernel waits before it repeats a SYN (bpf/account.bpf.c). */
#define SYN_REPEAT_NS (100 * NS_PER_MS)

struct upstream {
	struct io io; /* of a probe, and after detaching */
	struct upstream_env *env;
	struct upstream_want want;
	struct upstream *next, **prev;		 /* among all of the worker */
	struct upstream *wait_next, **wait_prev; /* among those that wait for a name */
	struct timer timer;
	uint64_t deadline_ns;
	uint64_t next_address_ns;
	uint64_t started_ns[RESOLVE_ADDRS_MAX];
	int fd[RESOLVE_ADDRS_MAX]; /* -1 where none is open */
	struct resolve_addrs addrs;
	struct corpse corpse;
	uint32_t events; /* of the winner */
	int last_error;
	uint8_t started;   /* addresses begun */
	uint8_t in_flight; /* of these, without a result */
	uint8_t winner;
	bool detached;
};

_Static_assert(RULE_TARGETS_MAX *RESOLVE_ADDRS_MAX < IO_SLOTS,
	       "a slot for each address of each target, and slot 0 for the client");

void upstream_env_init(struct upstream_env *env)
{
	slab_init(&env->slab, sizeof(struct upstream));
}

void upstream_env_close(struct upstream_env *env)
{
	slab_close(&env->slab);
}

bool upstream_is_ours(int err)
{
	switch (err) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
	case EADDRNOTAVAIL:
	case EADDRINUSE:
	case ENOSPC: /* epoll_ctl(2): fs.epoll.max_user_watches */
	case EAGAIN: /* connect(2): no free local port in the range */
	case EACCES: /* a local policy, as EPERM */
	case EPERM:
	case EBUSY: /* too many lookups at once */
		return true;
	}
	return false;
}

static void bury(struct corpse *corpse)
{
	struct upstream *up =
		(struct upstream *)((char *)corpse - offsetof(struct upstream, corpse));

	slab_free(&up->env->slab, up);
}

static void stop_waiting(struct upstream *up)
{
	if (!up->wait_prev)
		return;
	*up->wait_prev = up->wait_next;
	if (up->wait_next)
		up->wait_next->wait_prev = up->wait_prev;
	up->wait_prev = NULL;
}

static void wait_for_name(struct upstream *up)
{
	struct upstream **head = &up->env->waiting;

	up->wait_next = *head;
	up->wait_prev = head;
	if (up->wait_next)
		up->wait_next->wait_prev = &up->wait_next;
	*head = up;
}

static void count(struct upstream *up, atomic_ullong *counter)
{
	if (!up->want.probe)
		atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Closes one socket without a result of its own, counting it where it belongs. */
static void drop(struct upstream *up, unsigned i, atomic_ullong *counter)
{
	if (up->fd[i] < 0)
		return;
	close(up->fd[i]);
	up->fd[i] = -1;
	up->in_flight--;
	count(up, counter);
}

static void drop_all(struct upstream *up, atomic_ullong *counter)
{
	for (unsigned i = 0; i < up->started; i++)
		drop(up, i, counter);
}

static void release(struct upstream *up)
{
	struct target *t = up->want.target;

	stop_waiting(up);
	*up->prev = up->next;
	if (up->next)
		up->next->prev = up->prev;
	timer_clear(&up->env->loop->timers, &up->timer);
	if (up->detached)
		t->detached[up->env->worker]--;
	target_unref(t);
	loop_bury(up->env->loop, &up->corpse, bury);
}

/* The one verdict: health, then whoever waits. @result: a fd or -errno. */
static void finish(struct upstream *up, int result)
{
	struct target *t = up->want.target;

	if (result >= 0)
		target_report(t, 0);
	else if (!upstream_is_ours(-result))
		target_report(t, -result);
	if (!up->detached)
		up->want.done(up, result);
	else if (result >= 0)
		close(result);
	release(up);
}

/* Karn's rule (RFC 6298, 3): a handshake with a repeated SYN says nothing of the usual time. No SYN
 * is repeated before SYN_REPEAT_NS, so only slow ones have to be asked. */
static void learn_connect_time(struct target *t, int fd, uint64_t ns)
{
	struct tcp_info ti = {0};
	socklen_t len = sizeof(ti);

	if (ns >= SYN_REPEAT_NS &&
	    (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len) < 0 || ti.tcpi_total_retrans))
		return;
	target_learn_connect_time(t, ns);
}

/* Takes the fd of address @i as the result; the other addresses are no longer wanted. */
static int win(struct upstream *up, unsigned i)
{
	struct target *t = up->want.target;
	int fd = up->fd[i];

	up->fd[i] = -1;
	up->in_flight--;
	up->winner = (uint8_t)i;
	count(up, &t->ok);
	learn_connect_time(t, fd, clock_mono_ns() - up->started_ns[i]);
	drop_all(up, &t->abandoned);
	return fd;
}

static void failed(struct upstream *up, int err)
{
	struct target *t = up->want.target;

	up->last_error = err;
	if (err == ETIMEDOUT)
		count(up, &t->timed_out);
	else if (upstream_is_ours(err))
		count(up, &t->local_errors);
	else
		count(up, &t->failed);
}

/* Starts a connect to address @i. Returns 0 while it is under way or done, else the errno. */
static int start_address(struct upstream *up, unsigned i)
{
	struct upstream_env *env = up->env;
	const union addr *a = &up->addrs.addr[i];
	struct target *t = up->want.target;
	struct io *io = up->want.io ? up->want.io : &up->io;
	unsigned slot = up->want.io ? up->want.slot + i : i;
	bool counted = true;
	int fd, err;

	count(up, &t->attempted);
	up->started_ns[i] = clock_mono_ns();
	fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0) {
		/* A family this host was built without is an address it cannot reach. */
		return errno == EAFNOSUPPORT ? ENETUNREACH : errno;
	}
	if (up->want.probe || !t->slot)
		err = connect(fd, &a->sa, addr_len(a)) ? errno : 0;
	else
		err = -account_connect(env->account, env->worker, fd, &a->sa, addr_len(a),
				       t->totals->rule_id, t->slot, &counted);
	if (!counted)
		atomic_fetch_add_explicit(&t->totals->untagged, 1, memory_order_relaxed);
	if (err && err != EINPROGRESS)
		goto err_fd;
	/* Only now: epoll reports a socket that has not begun to connect as OUT|HUP at once. A
	 * connect that is complete already is reported by the next epoll_wait. */
	err = -loop_add(env->loop, fd, io, slot, EVENTS);
	if (err)
		goto err_fd;
	up->fd[i] = fd;
	up->in_flight++;
	return 0;

err_fd:
	close(fd);
	return err;
}

/*
 * Starts the next addresses, until one is under way. Returns 0, or -errno when none is left and
 * none is pending.
 */
static int advance(struct upstream *up, uint64_t now)
{
	while (up->started < up->addrs.n) {
		unsigned i = up->started++;
		int err = start_address(up, i);

		if (!err) {
			up->next_address_ns = now + UPSTREAM_STAGGER_NS;
			break;
		}
		failed(up, err);
	}
	return up->in_flight ? 0 : -up->last_error;
}

static void arm(struct upstream *up)
{
	uint64_t at = up->deadline_ns;

	if (up->started < up->addrs.n && up->next_address_ns < at)
		at = up->next_address_ns;
	/* Without memory for a timer the kernel's own SYN time-out ends the attempt. */
	timer_set(&up->env->loop->timers, &up->timer, at);
}

static int lookup(struct upstream *up)
{
	const struct target *t = up->want.target;

	return resolve_lookup(up->env->resolver, t->host, t->port, up->want.prefer_ipv6,
			      &up->addrs);
}

/* A name failed: the target's fault, unless it was too many lookups at once. */
static int name_failed(struct upstream *up, int err)
{
	struct target *t = up->want.target;

	count(up, &t->attempted);
	count(up, &t->totals->dns_failures);
	up->last_error = -err;
	if (upstream_is_ours(-err))
		count(up, &t->local_errors);
	else
		count(up, &t->failed);
	/* No address: to whoever waits the target is unreachable. */
	return err == -ENOENT ? -EHOSTUNREACH : err;
}

static void on_timer(struct timer *timer)
{
	struct upstream *up = (struct upstream *)((char *)timer - offsetof(struct upstream, timer));
	uint64_t now = up->env->loop->now_ns;
	int err;

	if (now >= up->deadline_ns) {
		if (up->wait_prev) {
			finish(up, name_failed(up, -ETIMEDOUT));
		} else {
			drop_all(up, &up->want.target->timed_out);
			finish(up, -ETIMEDOUT);
		}
		return;
	}
	err = advance(up, now);
	if (err)
		finish(up, err);
	else
		arm(up);
}

static void on_event(struct io *io, unsigned slot, uint32_t events)
{
	upstream_event((struct upstream *)io, slot, events);
}

struct upstream *upstream_start(struct upstream_env *env, const struct upstream_want *want,
				int *result)
{
	struct upstream *up = slab_alloc(&env->slab);
	uint64_t now = env->loop->now_ns;
	int err;

	if (!up) {
		*result = -ENOMEM;
		return NULL;
	}
	up->io.event = on_event;
	up->timer.fire = on_timer;
	up->env = env;
	up->want = *want;
	up->next = env->all;
	up->prev = &env->all;
	if (up->next)
		up->next->prev = &up->next;
	env->all = up;
	target_ref(want->target);
	up->deadline_ns = now + want->timeout_ms * NS_PER_MS;
	up->last_error = EHOSTUNREACH;
	for (unsigned i = 0; i < RESOLVE_ADDRS_MAX; i++)
		up->fd[i] = -1;

	err = lookup(up);
	if (err == -EAGAIN) {
		wait_for_name(up);
		arm(up);
		return up;
	}
	err = err ? name_failed(up, err) : advance(up, now);
	if (err) {
		if (!upstream_is_ours(-err))
			target_report(want->target, -err);
		*result = err;
		release(up);
		return NULL;
	}
	arm(up);
	return up;
}

void upstream_event(struct upstream *up, unsigned index, uint32_t events)
{
	int fd = index < RESOLVE_ADDRS_MAX ? up->fd[index] : -1;
	socklen_t len = sizeof(int);
	int err = 0;

	if (fd < 0 || !(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return;
	/* The result is SO_ERROR, never HUP alone; OUT without either is success. */
	if (events & (EPOLLERR | EPOLLHUP)) {
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
			err = errno;
		/* A SYN that a RST answers is ECONNREFUSED. These two come only after the handshake,
		 * so the target was established; EPOLLERR tells the relay what has become of it. */
		if (err == ECONNRESET || err == EPIPE)
			err = 0;
		/* Connected and already closed by the peer: that is for the relay to see. */
		if (!err && !(events & EPOLLOUT))
			err = ECONNRESET;
	}
	if (!err) {
		up->events = events;
		finish(up, win(up, index));
		return;
	}
	close(fd);
	up->fd[index] = -1;
	up->in_flight--;
	failed(up, err);
	err = advance(up, up->env->loop->now_ns);
	if (err)
		finish(up, err);
	else
		arm(up);
}

unsigned upstream_slot(const struct upstream *up)
{
	return up->want.slot + up->winner;
}

uint32_t upstream_events(const struct upstream *up)
{
	return up->events;
}

void *upstream_arg(const struct upstream *up)
{
	return up->want.arg;
}

struct target *upstream_target(const struct upstream *up)
{
	return up->want.target;
}

void upstream_detach(struct upstream *up)
{
	uint8_t *detached = &up->want.target->detached[up->env->worker];

	if (*detached >= UPSTREAM_DETACHED_MAX) {
		upstream_abandon(up);
		return;
	}
	up->detached = true;
	++*detached;
	for (unsigned i = 0; i < up->started; i++)
		if (up->fd[i] >= 0)
			loop_move(up->env->loop, up->fd[i], &up->io, i, EVENTS);
	up->want.io = NULL;
	up->want.slot = 0;
}

void upstream_abandon(struct upstream *up)
{
	drop_all(up, &up->want.target->abandoned);
	release(up);
}

void upstream_abandon_all(struct upstream_env *env)
{
	while (env->all) {
		struct upstream *up = env->all;

		if (!up->detached)
			up->want.done(up, -ECANCELED);
		upstream_abandon(up);
	}
}

void upstream_names_ready(struct upstream_env *env)
{
	struct upstream *batch = env->waiting;

	/* Taken off as a whole: a done() below may end others of the list, which unlink themselves. */
	env->waiting = NULL;
	if (batch)
		batch->wait_prev = &batch;
	while (batch) {
		struct upstream *up = batch;
		int err;

		stop_waiting(up);
		err = lookup(up);
		if (err == -EAGAIN) {
			wait_for_name(up);
			continue;
		}
		err = err ? name_failed(up, err) : advance(up, env->loop->now_ns);
		if (err)
			finish(up, err);
		else
			arm(up);
	}
}
