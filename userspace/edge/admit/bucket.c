// SPDX-License-Identifier: MIT
/* A token bucket that all workers take from without a lock, and that may go into debt by one operation. */
#include "edge/admit/bucket.h"

#define TICKS_PER_NS  16ull
#define TICKS_PER_SEC (TICKS_PER_NS * 1000000000ull)

#define OPERATION (64 * 1024)
#define PART	  8

static uint64_t load(const atomic_ullong *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

/* @n units' time, rounded up. @n is at most some megabytes: no overflow. */
static uint64_t ticks_of(uint64_t n, uint64_t rate)
{
	return (n * TICKS_PER_SEC + rate - 1) / rate;
}

static uint64_t units_of(uint64_t ticks, uint64_t rate)
{
	return (uint64_t)((__uint128_t)ticks * rate / TICKS_PER_SEC);
}

/* One look at a bucket: @at is when it will be full, or now where it is. */
struct look {
	uint64_t full_at, at, credit; /* credit: ticks' worth that is in it; 0 for none or a debt */
};

static struct look look(const struct bucket *b, uint64_t now)
{
	struct look l = {.full_at = load(&b->full_at)};
	uint64_t depth = load(&b->depth);

	l.at = l.full_at > now ? l.full_at : now;
	l.credit = l.at - now < depth ? depth - (l.at - now) : 0;
	return l;
}

static bool move_on(struct bucket *b, struct look *l, uint64_t ticks)
{
	unsigned long long expected = l->full_at;

	return atomic_compare_exchange_weak_explicit(&b->full_at, &expected, l->at + ticks,
						     memory_order_relaxed, memory_order_relaxed);
}

bool bucket_set(struct bucket *b, uint64_t rate, uint64_t burst, uint64_t now_ns)
{
	uint64_t was = load(&b->rate), now = now_ns * TICKS_PER_NS, depth = 0, left = burst;

	if (rate)
		depth = (uint64_t)(((__uint128_t)burst * TICKS_PER_SEC + rate - 1) / rate);
	if (was == rate && load(&b->depth) == depth)
		return false;
	if (was) {
		left = units_of(look(b, now).credit, was);
		left = left < burst ? left : burst;
	}
	atomic_store_explicit(&b->depth, depth, memory_order_relaxed);
	if (rate)
		atomic_store_explicit(&b->full_at,
				      now + (uint64_t)((__uint128_t)(burst - left) * TICKS_PER_SEC /
						       rate),
				      memory_order_relaxed);
	atomic_store_explicit(&b->rate, rate, memory_order_relaxed);
	atomic_fetch_add(&b->version, 1);
	return true;
}

static size_t operation(uint64_t rate)
{
	uint64_t n = rate / 1000 > OPERATION ? rate / 1000 : OPERATION;

	n = n < rate / 50 ? n : rate / 50;
	n = n < BUCKET_GRANT_MAX ? n : BUCKET_GRANT_MAX;
	return n ? (size_t)n : 1;
}

size_t bucket_operation(const struct bucket *b)
{
	return operation(load(&b->rate));
}

/* How much of @credit one may have: little of little, so that others find some too. */
static size_t share(uint64_t credit, uint64_t rate, size_t most)
{
	size_t least = operation(rate), n = most;

	if (credit < ticks_of(PART * BUCKET_GRANT_MAX, rate))
		n = (size_t)(units_of(credit, rate) / PART);
	n = n > least ? n : least;
	return n < most ? n : most;
}

size_t bucket_take(struct bucket *b, size_t most, uint64_t now_ns)
{
	uint64_t rate = load(&b->rate);
	struct look l;
	size_t n;

	if (!rate)
		return most;
	do {
		l = look(b, now_ns * TICKS_PER_NS);
		if (!l.credit)
			return 0;
		n = share(l.credit, rate, most);
	} while (!move_on(b, &l, ticks_of(n, rate)));
	return n;
}

/* Takes @ticks if at least @least of them are in it. */
static bool take_ticks(struct bucket *b, uint64_t ticks, uint64_t least, uint64_t now_ns)
{
	struct look l;

	do {
		l = look(b, now_ns * TICKS_PER_NS);
		if (l.credit < least)
			return false;
	} while (!move_on(b, &l, ticks));
	return true;
}

bool bucket_take_all(struct bucket *b, size_t n, uint64_t now_ns)
{
	uint64_t rate = load(&b->rate);

	return !rate || take_ticks(b, ticks_of(n, rate), 1, now_ns);
}

bool bucket_take_whole(struct bucket *b, uint64_t now_ns)
{
	uint64_t rate = load(&b->rate), one;

	if (!rate)
		return true;
	/* Rounded down, or the last of a burst would lack a tick. */
	one = TICKS_PER_SEC / rate;
	return take_ticks(b, one, one, now_ns);
}

uint64_t bucket_book(struct bucket *b, size_t n, uint64_t now_ns)
{
	uint64_t rate = load(&b->rate), now = now_ns * TICKS_PER_NS, depth = load(&b->depth);
	struct look l;

	if (!rate)
		return now_ns;
	do
		l = look(b, now);
	while (!move_on(b, &l, ticks_of(n, rate)));
	if (l.credit || l.at < depth)
		return now_ns;
	return (l.at - depth + TICKS_PER_NS - 1) / TICKS_PER_NS;
}

void bucket_give_back(struct bucket *b, size_t n)
{
	uint64_t rate = load(&b->rate);

	if (rate && n)
		atomic_fetch_sub_explicit(&b->full_at, ticks_of(n, rate), memory_order_relaxed);
}
