// SPDX-License-Identifier: MIT
/* The check of a UDP target: a datagram, and whether an answer or an ICMP error comes back. */
#include "edge/flow/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/flow/datagram.h"
#include "edge/flow/flow.h"
#include "edge/resolve/addrs.h"
#include "edge/resolve/resolve.h"
#include "edge/target/dial.h"
#include "edge/target/talk.h"
#include "edge/target/source.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"

#define SILENCE_NS  NS_PER_SEC
#define ASK_NAME_NS (50 * NS_PER_MS)

struct flow_check {
	struct io io;
	LIST_ENTRY(flow_check) entry;
	struct flow_env *env;
	struct target *target;
	struct source *source;
	const struct talk_script *script;
	struct timer timer;
	uint64_t deadline_ns; /* of the name, and of an answer that is expected */
	void (*done)(void *arg);
	void *arg;
	struct deferred_free deferred;
	int fd;
	bool prefer_ipv6;
};

static void free_check(struct deferred_free *deferred)
{
	free(container_of(deferred, struct flow_check, deferred));
}

/* @result: 0 for a success, an errno for a failure, -1 for neither. */
static void finish(struct flow_check *c, int result)
{
	if (result >= 0 && !dial_is_ours(result))
		target_report(c->target, result);
	LIST_REMOVE(c, entry);
	timer_clear(&c->env->loop->timers, &c->timer);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	target_unref(c->target);
	source_unref(c->source);
	c->done(c->arg);
	loop_defer_free(c->env->loop, &c->deferred, free_check);
}

static bool expects(const struct flow_check *c)
{
	return c->script && c->script->n_expect;
}

/* A datagram has come. What is not expected may be a late answer to somebody else: it settles nothing
 * good, and ends the check. */
static int answer(struct flow_check *c)
{
	uint8_t got[RULE_TALK_BYTES_MAX];
	ssize_t n = recv(c->fd, got, sizeof(got), MSG_DONTWAIT);

	if (!expects(c))
		return 0;
	return n >= 0 && talk_matches(c->script, got, (size_t)n) > 0 ? 0 : HEALTH_UNEXPECTED;
}

static void on_event(struct io *io, unsigned slot, uint32_t events)
{
	struct flow_check *c = (struct flow_check *)io;
	int err;

	if (c->fd < 0)
		return;
	err = events & EPOLLERR ? datagram_icmp_error(c->fd) : 0;
	if (err)
		finish(c, err);
	else if (events & EPOLLIN)
		finish(c, answer(c));
}

static bool say(const struct flow_check *c, int fd)
{
	size_t n = c->script ? c->script->n_send : 0;

	return send(fd, n ? (const void *)c->script->send : "", n, MSG_DONTWAIT) >= 0;
}

static int ask(struct flow_check *c, const union addr *to)
{
	int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return errno == EAFNOSUPPORT ? ENETUNREACH : errno;
	datagram_set_connected(fd, to->sa.sa_family);
	err = source_apply(c->source, fd, to->sa.sa_family, false);
	if (!err && (connect(fd, &to->sa, addr_len(to)) < 0 || !say(c, fd)))
		err = source_error(c->source, to->sa.sa_family, -errno);
	if (err) {
		close(fd);
		return -err;
	}
	err = -loop_add(c->env->loop, fd, &c->io, 0, EPOLLIN);
	if (err) {
		close(fd);
		return err;
	}
	c->fd = fd;
	return 0;
}

static void begin(struct flow_check *c)
{
	struct loop *l = c->env->loop;
	struct resolve_addrs addrs;
	int err = resolve_lookup(c->env->resolver, c->target->host, c->target->port, c->prefer_ipv6,
				 &addrs, NULL);

	if (err == -EAGAIN && l->now_ns < c->deadline_ns &&
	    timer_set(&l->timers, &c->timer, l->now_ns + ASK_NAME_NS) == 0)
		return;
	if (err) {
		finish(c, err == -EAGAIN ? ETIMEDOUT : -err);
		return;
	}
	err = EHOSTUNREACH;
	for (unsigned i = 0; i < addrs.n && c->fd < 0; i++)
		err = ask(c, &addrs.addr[i]);
	if (c->fd < 0 || timer_set(&l->timers, &c->timer,
				   expects(c) ? c->deadline_ns : l->now_ns + SILENCE_NS) < 0)
		finish(c, c->fd < 0 ? err : -1);
}

static void on_timer(struct timer *timer)
{
	struct flow_check *c = container_of(timer, struct flow_check, timer);

	if (c->fd < 0)
		begin(c);
	else if (expects(c))
		finish(c, HEALTH_SILENT);
	else
		finish(c, health_state(&c->target->health) == HEALTH_FAILED ? 0 : -1);
}

int flow_check(struct flow_env *env, const struct flow_check_want *want, void (*done)(void *arg),
	       void *arg)
{
	struct flow_check *c = io_alloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->io.event = on_event;
	c->env = env;
	c->target = want->target;
	c->source = want->source;
	c->script = want->script;
	c->timer.fire = on_timer;
	c->deadline_ns = env->loop->now_ns + want->timeout_ms * NS_PER_MS;
	c->done = done;
	c->arg = arg;
	c->fd = -1;
	c->prefer_ipv6 = want->prefer_ipv6;
	/* From the loop, never from here. */
	if (timer_set(&env->loop->timers, &c->timer, env->loop->now_ns) < 0) {
		free(c);
		return -ENOMEM;
	}
	target_ref(c->target);
	source_ref(c->source);
	LIST_INSERT_HEAD(&env->checks, c, entry);
	return 0;
}

void flow_checks_abandon(struct flow_env *env)
{
	while (!LIST_EMPTY(&env->checks))
		finish(LIST_FIRST(&env->checks), -1);
}
