// SPDX-License-Identifier: MIT
/* The bytes that a connection may move now, and its turn when it has to wait for more. */
#include "edge/admit/permit.h"

#include <sys/ioctl.h>

#include "lib/base/clock.h"
#include "lib/base/container_of.h"

/*
 * What a worker keeps of bytes that it took and did not use, so that small messages do not send the
 * bucket's cache line round the workers: a millisecond's worth, 64 KiB at most.
 */
#define LEASE_MAX (64u * 1024)

static struct bucket *bucket_at(const struct admission *a, unsigned i, unsigned direction)
{
	return a->by[i] && bucket_caps(&a->by[i]->bytes[direction]) ? &a->by[i]->bytes[direction]
								    : NULL;
}

static uint32_t *lease_at(const struct permits *all, const struct permit_want *want, unsigned i)
{
	return &want->admission->by[i]->cells[all->worker].lease[want->direction];
}

/* ---- at once ---- */

static size_t take(struct bucket *b, uint32_t *lease, size_t most, uint64_t now_ns)
{
	size_t n = *lease, more;

	if (n > most)
		n = most;
	/* A rest of a few bytes would make a read of a few bytes. */
	if (n < most && n < LEASE_MAX / 2) {
		more = bucket_take(b, most - n, now_ns);
		if (!more && n < bucket_operation(b))
			return 0;
		n += more;
	}
	*lease -= n < *lease ? (uint32_t)n : *lease;
	return n;
}

static void give(struct bucket *b, uint32_t *lease, size_t n)
{
	uint64_t most = atomic_load_explicit(&b->rate, memory_order_relaxed) / 1000;
	size_t room;

	most = most < LEASE_MAX ? most : LEASE_MAX;
	room = *lease < most ? (size_t)(most - *lease) : 0;
	room = room < n ? room : n;
	*lease += (uint32_t)room;
	bucket_give_back(b, n - room);
}

/* Gives @n back to each envelope before @end. */
static void give_to(struct permits *all, const struct permit_want *want, unsigned end, size_t n)
{
	for (unsigned i = 0; i < end; i++) {
		struct bucket *b = bucket_at(want->admission, i, want->direction);

		if (b && n)
			give(b, lease_at(all, want, i), n);
	}
}

static size_t take_now(struct permits *all, const struct permit_want *want)
{
	size_t n = BUCKET_GRANT_MAX;

	for (unsigned i = 0; i < ADMIT_ENVELOPES; i++) {
		struct bucket *b = bucket_at(want->admission, i, want->direction);
		size_t got;

		if (!b)
			continue;
		got = take(b, lease_at(all, want, i), n, all->loop->now_ns);
		/* Before the first that caps it nobody has given anything. */
		give_to(all, want, i, n - got);
		n = got;
		if (!n)
			break;
	}
	return n;
}

void permit_return(struct permits *all, const struct permit_want *want, size_t unused)
{
	give_to(all, want, ADMIT_ENVELOPES, unused);
}

/* ---- in turn ---- */

static void on_timer(struct timer *timer)
{
	struct permit *p = container_of(timer, struct permit, timer);

	loop_work(p->all->loop, p->wake);
}

static struct permit *make(struct permits *all, const struct permit_want *want)
{
	struct permit *p = slab_alloc(&all->slab);

	if (!p)
		return NULL;
	p->all = all;
	p->admission = want->admission;
	p->wake = want->wake;
	p->timer.fire = on_timer;
	LIST_INSERT_HEAD(&all->list, p, entry);
	return p;
}

/* To when the next of its directions may go on. What is due by now needs no timer: whoever is woken, or
 * has something to move, asks for both. */
static void arm(struct permit *p)
{
	const struct booking *d = p->direction;
	uint64_t at = UINT64_MAX;

	for (unsigned i = 0; i < 2; i++)
		if (d[i].bytes && d[i].start_ns > p->all->loop->now_ns && d[i].start_ns < at)
			at = d[i].start_ns;
	if (at == UINT64_MAX)
		timer_clear(&p->all->loop->timers, &p->timer);
	else if (timer_set(&p->all->loop->timers, &p->timer, at) < 0)
		loop_work(p->all->loop, p->wake);
}

/* How much of what the socket has may be booked at once. 0: there is nothing. */
static uint32_t wanted(const struct permit_want *want)
{
	size_t most = BUCKET_GRANT_MAX;
	int there = 0;

	if (ioctl(want->fd, FIONREAD, &there) == 0 && (size_t)there < most)
		most = there > 0 ? (size_t)there : 0;
	for (unsigned i = 0; i < ADMIT_ENVELOPES; i++) {
		struct bucket *b = bucket_at(want->admission, i, want->direction);

		if (b && bucket_operation(b) < most)
			most = bucket_operation(b);
	}
	return (uint32_t)most;
}

static void book(struct booking *d, const struct permit_want *want, uint32_t n, uint64_t now_ns)
{
	*d = (struct booking){.start_ns = now_ns, .since_ns = now_ns, .bytes = n};
	for (unsigned i = 0; i < ADMIT_ENVELOPES; i++) {
		struct bucket *b = bucket_at(want->admission, i, want->direction);
		uint64_t start;

		if (!b)
			continue;
		d->version[i] = bucket_version(b);
		start = bucket_book(b, n, now_ns);
		d->who |= (uint8_t)(1u << i);
		d->late |= (uint8_t)((start > now_ns) << i);
		if (start > d->start_ns)
			d->start_ns = start;
	}
}

/* Its waiting is over, whatever comes of it. */
static void count_wait(const struct permit *p, unsigned direction)
{
	const struct booking *d = &p->direction[direction];
	uint64_t us = (p->all->loop->now_ns - d->since_ns) / NS_PER_US;

	for (unsigned i = 0; i < ADMIT_ENVELOPES; i++)
		if (d->late & (1u << i))
			envelope_throttled(p->admission->by[i], p->all->worker, direction, us);
}

static bool is_void(const struct permit *p, unsigned direction)
{
	const struct booking *d = &p->direction[direction];

	for (unsigned i = 0; i < ADMIT_ENVELOPES; i++)
		if ((d->who & (1u << i)) &&
		    bucket_version(&p->admission->by[i]->bytes[direction]) != d->version[i])
			return true;
	return false;
}

/* Gives up what was booked. Of an envelope that has changed since, nothing is left to give back. */
static void cancel(struct permit *p, unsigned direction)
{
	struct booking *d = &p->direction[direction];

	if (!d->bytes)
		return;
	count_wait(p, direction);
	for (unsigned i = 0; i < ADMIT_ENVELOPES; i++) {
		struct bucket *b;

		if (!(d->who & (1u << i)))
			continue;
		b = &p->admission->by[i]->bytes[direction];
		if (bucket_version(b) == d->version[i])
			bucket_give_back(b, d->bytes);
	}
	d->bytes = 0;
}

/* What was booked and is due. 0: it waits. */
static size_t collect(struct permit *p, unsigned direction)
{
	struct booking *d = &p->direction[direction];
	size_t n = d->bytes;

	if (p->all->loop->now_ns < d->start_ns) {
		/* It may have been woken for the other direction. */
		arm(p);
		return 0;
	}
	count_wait(p, direction);
	d->bytes = 0;
	arm(p);
	return n;
}

size_t permit_budget(struct permits *all, struct permit **p, const struct permit_want *want)
{
	uint64_t now_ns = all->loop->now_ns;
	uint32_t n;

	if (*p && (*p)->direction[want->direction].bytes) {
		if (!is_void(*p, want->direction))
			return collect(*p, want->direction);
		cancel(*p, want->direction);
		arm(*p);
	}
	if (!admit_shapes(want->admission, want->direction))
		return PERMIT_ALL;
	n = (uint32_t)take_now(all, want);
	if (n)
		return n;
	n = wanted(want);
	/* An end, an error or an urgent mark costs nothing; a byte that comes just now is paid for. */
	if (!n) {
		struct booking unused;

		book(&unused, want, 1, now_ns);
		return 1;
	}
	if (!*p)
		*p = make(all, want);
	if (!*p) {
		loop_work(all->loop, want->wake);
		return 0;
	}
	book(&(*p)->direction[want->direction], want, n, now_ns);
	return collect(*p, want->direction);
}

void permit_cancel(struct permit *p, unsigned direction)
{
	if (!p || !p->direction[direction].bytes)
		return;
	cancel(p, direction);
	arm(p);
}

bool permit_waits(const struct permit *p)
{
	return p && (p->direction[ADMIT_IN].bytes || p->direction[ADMIT_OUT].bytes);
}

void permit_free(struct permit *p)
{
	if (!p)
		return;
	cancel(p, ADMIT_IN);
	cancel(p, ADMIT_OUT);
	timer_clear(&p->all->loop->timers, &p->timer);
	LIST_REMOVE(p, entry);
	slab_free(&p->all->slab, p);
}

/* ---- of a worker ---- */

void permits_init(struct permits *all, struct loop *loop, unsigned worker)
{
	all->loop = loop;
	all->worker = worker;
	slab_init(&all->slab, sizeof(struct permit));
	LIST_INIT(&all->list);
}

void permits_close(struct permits *all)
{
	slab_close(&all->slab);
}

void permits_recheck(struct permits *all)
{
	struct permit *p;

	LIST_FOREACH (p, &all->list, entry)
		if ((p->direction[ADMIT_IN].bytes && is_void(p, ADMIT_IN)) ||
		    (p->direction[ADMIT_OUT].bytes && is_void(p, ADMIT_OUT)))
			loop_work(all->loop, p->wake);
}
