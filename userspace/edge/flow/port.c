// SPDX-License-Identifier: MIT
/* The UDP ports of a rule on one worker: opened, given another version of the rule, swept, closed. */
#include "edge/flow/port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "edge/flow/flow.h"
#include "edge/flow/relaying.h"
#include "edge/flow/walk.h"
#include "edge/target/hops.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"
#include "lib/rule/span.h"

#define SWEEP_NS (NS_PER_SEC / 2)

static void on_names(struct job *job)
{
	flow_names_ready(container_of(job, struct flow_env, names));
}

/* On the resolver's thread. */
static void wake(struct resolve_inbox *inbox)
{
	struct flow_env *env = container_of(inbox, struct flow_env, inbox);

	loop_post(env->loop, &env->names);
}

void flow_env_init(struct flow_env *env)
{
	env->names.run = on_names;
	env->inbox.wake = wake;
	LIST_INIT(&env->inbox.ready);
	slab_init(&env->flows, sizeof(struct flow));
	/* Without randomness the addresses of this process are what an attacker has to guess. */
	if (getrandom(&env->seed, sizeof(env->seed), GRND_NONBLOCK) != sizeof(env->seed))
		env->seed = clock_mono_ns() ^ (uintptr_t)env;
	env->seed |= 1;
}

void flow_env_close(struct flow_env *env)
{
	slab_close(&env->flows);
	batch_free(&env->batch);
}

static void on_socket_event(struct io *io, unsigned slot, uint32_t events)
{
	struct flow_socket *s = container_of(io, struct flow_socket, io);

	if (s->fd >= 0)
		flow_relay_clients(s);
}

static void sweep(struct timer *t)
{
	struct flow_port *p = container_of(t, struct flow_port, sweep);
	struct loop *l = p->env->loop;
	uint64_t idle = flow_idle_ns(p);
	struct flow *f;

	while ((f = TAILQ_FIRST(&p->by_age)) && l->now_ns - f->active_ns >= idle)
		flow_close(f);
	timer_set(&l->timers, t, l->now_ns + SWEEP_NS);
}

static void free_socket(struct deferred_free *deferred)
{
	free(container_of(deferred, struct flow_socket, deferred));
}

static bool make_batch(struct flow_env *env)
{
	if (!env->has_batch)
		env->has_batch = batch_init(&env->batch) == 0;
	return env->has_batch;
}

static void say_lost(const struct service *service)
{
	log_event(LOG_ERROR, "listener.lost", LOGF_UINT("rule", service->rule->id),
		  LOGF_STR("error", "no memory to take datagrams on one worker"));
}

struct flow_port *flow_port_new(struct flow_env *env, struct service *service)
{
	struct flow_port *p = calloc(1, sizeof(*p));

	if (!p || !make_batch(env))
		goto err;
	p->env = env;
	p->service = service;
	p->sweep.fire = sweep;
	TAILQ_INIT(&p->by_age);
	TAILQ_INIT(&p->once);
	if (timer_set(&env->loop->timers, &p->sweep, env->loop->now_ns + SWEEP_NS) < 0)
		goto err;
	LIST_INSERT_HEAD(&env->ports, p, entry);
	return p;

err:
	say_lost(service);
	free(p);
	service_unref(service);
	return NULL;
}

int flow_port_add(struct flow_port *p, int fd, uint16_t number)
{
	struct flow_socket *s = io_alloc(sizeof(*s));
	int err = s ? 0 : -ENOMEM;

	if (!err) {
		s->io.event = on_socket_event;
		s->port = p;
		s->fd = fd;
		s->number = number;
		err = loop_add(p->env->loop, fd, &s->io, 0, EPOLLIN);
	}
	if (err) {
		say_lost(p->service);
		free(s);
		close(fd);
		return err;
	}
	LIST_INSERT_HEAD(&p->sockets, s, entry);
	hops_listen(p->env->hops, number, 1);
	return 0;
}

void flow_port_set_service(struct flow_port *p, struct service *service)
{
	service_unref(p->service);
	p->service = service;
}

void flow_port_trim(struct flow_port *p, struct span keep)
{
	struct flow_socket *s, *next;
	struct flow *f, *younger;

	for (f = TAILQ_FIRST(&p->by_age); f; f = younger) {
		younger = TAILQ_NEXT(f, by_age);
		if (!span_has(keep, f->key.listen_port))
			flow_close(f);
	}
	for (s = LIST_FIRST(&p->sockets); s; s = next) {
		next = LIST_NEXT(s, entry);
		if (span_has(keep, s->number))
			continue;
		LIST_REMOVE(s, entry);
		hops_listen(p->env->hops, s->number, -1);
		close(s->fd);
		s->fd = -1;
		loop_defer_free(p->env->loop, &s->deferred, free_socket);
	}
}

void flow_port_close(struct flow_port *p)
{
	flow_port_trim(p, (struct span){1, 0});
	timer_clear(&p->env->loop->timers, &p->sweep);
	LIST_REMOVE(p, entry);
	service_unref(p->service);
	free(p);
}

void flow_end_target(struct flow_env *env, const struct target *t)
{
	struct flow_port *p;
	struct flow *f, *next;

	LIST_FOREACH (p, &env->ports, entry) {
		for (f = TAILQ_FIRST(&p->by_age); f; f = next) {
			next = TAILQ_NEXT(f, by_age);
			if (f->target == t)
				flow_close(f);
		}
	}
}

void flow_each(struct flow_env *env, bool (*visit)(const struct flow *f, void *arg), void *arg)
{
	struct flow_port *p;
	struct flow *f;

	LIST_FOREACH (p, &env->ports, entry)
		TAILQ_FOREACH_REVERSE (f, &p->by_age, flow_list, by_age)
			if (!visit(f, arg))
				return;
}
