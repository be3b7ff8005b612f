// SPDX-License-Identifier: MIT
/* A flow's way over the targets of its rule: who gets its datagrams, and who when that one fails. */
#include "edge/flow/walk.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/flow/flow.h"
#include "edge/target/hops.h"
#include "edge/resolve/addrs.h"
#include "edge/resolve/resolve.h"
#include "edge/target/choose.h"
#include "edge/target/dial.h"
#include "edge/target/source.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"
#include "lib/rule/span.h"

/* Without an answer for so long, first datagrams are no longer kept for another target. */
#define HOLD_NS (3 * NS_PER_SEC)

static void count(atomic_ullong *counter)
{
	cell_add(counter, 1);
}

/* A socket whose peer is the target: the kernel lets only the target's datagrams in, and tells of ICMP. */
static int open_connected(struct flow *f, const union addr *to)
{
	struct loop *l = f->port->env->loop;
	int fd, err;

	fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	if (fd < 0)
		return errno == EAFNOSUPPORT ? -ENETUNREACH : -errno;
	if ((unsigned)fd >= f->port->env->fd_limit) {
		close(fd);
		return -EMFILE;
	}
	datagram_set_connected(fd, to->sa.sa_family);
	err = source_apply(f->service->source, fd, to->sa.sa_family, false);
	if (!err && connect(fd, &to->sa, addr_len(to)) < 0)
		err = source_error(f->service->source, to->sa.sa_family, -errno);
	if (err)
		goto err;
	hops_note(f->env->hops, fd, to, f->hops + 1u, l->now_ns);
	f->slot = (f->slot + 1) % IO_SLOTS;
	err = loop_add(l, fd, &f->io, f->slot, EPOLLIN);
	if (!err)
		return fd;
err:
	close(fd);
	return err;
}

/* The port at its target that belongs to the one that the client has chosen. */
static uint16_t target_port(const struct flow *f)
{
	return rule_target_port(f->service->rule, f->row, f->key.listen_port);
}

/* The next address of the row's name that takes a connect. 0, -EAGAIN while the name is asked for. */
static int open_row(struct flow *f)
{
	struct target *t = f->service->target[f->row];
	struct flow_env *env = f->port->env;
	struct resolve_addrs addrs;
	int err;

	err = resolve_lookup(env->resolver, t->host, target_port(f), f->service->rule->prefer_ipv6,
			     &addrs, &f->waiter);
	if (err == -EAGAIN)
		return err;
	if (err) {
		count(&totals_cell(t->totals, f->port->env->worker)->dns_failures);
		return err == -ENOENT ? -EHOSTUNREACH : err;
	}
	err = -EHOSTUNREACH;
	while (f->address < addrs.n) {
		int fd = open_connected(f, &addrs.addr[f->address++]);

		if (fd >= 0) {
			f->fd = fd;
			return 0;
		}
		err = fd;
	}
	return err;
}

static void wait_for_name(struct flow *f)
{
	struct flow_env *env = f->port->env;

	f->state = FLOW_WAITING;
	f->deadline_ns = env->loop->now_ns + rule_connect_timeout_ms(f->service->rule) * NS_PER_MS;
	timer_set(&env->loop->timers, &f->timer, f->deadline_ns);
}

static void stop_waiting(struct flow *f)
{
	if (!f->waiter.waiting)
		return;
	resolve_cancel(f->port->env->resolver, &f->waiter);
	timer_clear(&f->port->env->loop->timers, &f->timer);
}

/* Until when an answer counts: for the rule's time-out, or for how long datagrams are held. */
static void arm_answer(struct flow *f)
{
	const struct rule *r = f->service->rule;
	struct loop *l = f->port->env->loop;
	uint64_t at = HOLD_NS;

	if (r->fields & RULE_HAS_UDP_REPLY_TIMEOUT)
		at = r->udp_reply_timeout_ms * NS_PER_MS;
	timer_set(&l->timers, &f->timer, l->now_ns + at);
}

/* Nobody else will get what has been sent: nothing is held any more, and what was sent counts. */
static void settle(struct flow *f)
{
	flow_drop_held(f);
	flow_settle(f);
}

void flow_expect_answer(struct flow *f)
{
	if (f->state != FLOW_OPEN || f->replied || timer_is_set(&f->timer) ||
	    !(f->service->rule->fields & RULE_HAS_UDP_REPLY_TIMEOUT))
		return;
	/* Another target may have to get what is sent from now on. */
	f->settled = f->service->n == 1;
	arm_answer(f);
}

static void on_timer(struct timer *timer)
{
	struct flow *f = container_of(timer, struct flow, timer);

	if (f->state == FLOW_WAITING) {
		struct target *t = f->service->target[f->row];

		/* Our own queue or thread is late, not the target. */
		if (resolve_is_late(f->port->env->resolver, &f->waiter)) {
			timer_set(&f->port->env->loop->timers, timer,
				  f->port->env->loop->now_ns +
					  rule_connect_timeout_ms(f->service->rule) * NS_PER_MS);
			return;
		}
		count(&totals_cell(t->totals, f->port->env->worker)->dns_failures);
		count(&target_cell(t, f->port->env->worker)->attempted);
		count(&target_cell(t, f->port->env->worker)->timed_out);
		target_report(t, ETIMEDOUT);
		f->tried |= (uint8_t)(1u << f->row);
		flow_walk(f);
		return;
	}
	/* Many services never answer: silence is a failure only where the rule says so, and only of
	 * a client that goes on sending. */
	if ((f->service->rule->fields & RULE_HAS_UDP_REPLY_TIMEOUT) && f->datagrams_in > 1)
		flow_failed(f, ETIMEDOUT);
	else
		settle(f);
}

static void send_held(struct flow *f)
{
	struct held *h;

	STAILQ_FOREACH (h, &f->held, next) {
		struct datagram d = {.data = h->data, .len = h->len, .segment = h->segment};
		struct datagram_sent sent = datagram_send(f->fd, &d);

		flow_count_in(f, &sent);
		/* The error comes by the socket's queue as well. */
		if (sent.err)
			return;
	}
}

static void opened(struct flow *f)
{
	char client[ADDR_TEXT_MAX];

	f->state = FLOW_OPEN;
	f->target = target_ref(f->service->target[f->row]);
	count(&flow_target_cell(f)->attempted);
	count(&flow_target_cell(f)->carried);
	cell_add(&flow_target_cell(f)->active, 1);
	if (log_enabled(LOG_DEBUG))
		log_event(LOG_DEBUG, "flow.opened", LOGF_UINT("rule", f->service->rule->id),
			  LOGF_STR("client", addr_text(&f->client, client, sizeof(client))),
			  LOGF_STR("target", f->target->host),
			  LOGF_UINT("port", f->key.listen_port),
			  LOGF_UINT("target_port", target_port(f)));
	arm_answer(f);
	send_held(f);
	/* With nobody else to try, nothing has to be kept. */
	if (f->service->n == 1)
		settle(f);
}

/* Tries the row from f->address on. True: it has a socket, or waits for its name. */
static bool try_row(struct flow *f)
{
	struct target *t = f->service->target[f->row];
	int err = open_row(f);

	if (!err) {
		opened(f);
		return true;
	}
	if (err == -EAGAIN) {
		wait_for_name(f);
		return true;
	}
	count(&target_cell(t, f->port->env->worker)->attempted);
	if (dial_is_ours(-err)) {
		count(&target_cell(t, f->port->env->worker)->local_errors);
	} else {
		count(&target_cell(t, f->port->env->worker)->failed);
		target_report(t, -err);
	}
	f->tried |= (uint8_t)(1u << f->row);
	return false;
}

void flow_walk(struct flow *f)
{
	int row;

	/* For one name at most: the row before may have begun to, and is given up. */
	stop_waiting(f);
	f->timer.fire = on_timer;
	if (!f->tried)
		f->order = service_choose(f->service, &f->client, f->own_order);
	while ((row = service_next(f->service, f->order, f->tried)) >= 0) {
		f->row = (uint8_t)row;
		f->address = 0;
		if (try_row(f))
			return;
	}
	flow_close(f);
}

void flow_failed(struct flow *f, int err)
{
	struct target *t = f->target;

	if (f->replied || dial_is_ours(err)) {
		flow_close(f);
		return;
	}
	target_ref(t);
	flow_uncount(f);
	/* The next target gets what is held, and what comes is held again, until that is settled. */
	f->settled = false;
	count(err == ETIMEDOUT ? &target_cell(t, f->port->env->worker)->timed_out
			       : &target_cell(t, f->port->env->worker)->failed);
	flow_leave_target(f);
	/* Another address of the same target, before that is called failed. */
	if (err != ETIMEDOUT && open_row(f) == 0) {
		target_unref(t);
		opened(f);
		count(&flow_totals_cell(f)->flows_moved);
		return;
	}
	target_report_port(t, target_port(f), err);
	target_unref(t);
	f->tried |= (uint8_t)(1u << f->row);
	flow_walk(f);
	if (f->state != FLOW_CLOSED)
		count(&flow_totals_cell(f)->flows_moved);
}

void flow_answered(struct flow *f)
{
	f->replied = true;
	count(&flow_target_cell(f)->ok);
	target_connected(f->target, false);
	timer_clear(&f->port->env->loop->timers, &f->timer);
	settle(f);
}

void flow_rehome(struct flow *f)
{
	struct service *now = f->port->service;

	for (unsigned row = 0; f->target && row < now->n; row++) {
		if (now->target[row] != f->target)
			continue;
		service_unref(f->service);
		f->service = service_ref(now);
		f->row = (uint8_t)row;
		/* Rows of the version before mean nothing in this one. */
		f->order = now->order;
		f->tried = 0;
		return;
	}
	if (f->target && !f->replied)
		count(&flow_target_cell(f)->abandoned);
	/* Its new target gets what is held once more, and settles that. */
	flow_uncount(f);
	f->settled = false;
	flow_leave_target(f);
	service_unref(f->service);
	f->service = service_ref(now);
	f->tried = 0;
	f->replied = false;
	flow_walk(f);
}

void flow_names_ready(struct flow_env *env)
{
	struct resolve_waiter *w;

	while ((w = resolve_next_ready(env->resolver, &env->inbox))) {
		struct flow *f = container_of(w, struct flow, waiter);
		uint64_t deadline = f->deadline_ns;

		timer_clear(&env->loop->timers, &f->timer);
		if (!try_row(f)) {
			flow_walk(f);
		} else if (f->state == FLOW_WAITING) {
			/* Still unknown: the time that it has had counts. */
			f->deadline_ns = deadline;
			timer_set(&env->loop->timers, &f->timer, deadline);
		}
	}
}
