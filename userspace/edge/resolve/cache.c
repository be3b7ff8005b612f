// SPDX-License-Identifier: MIT
/* The resolver's memory: which addresses a name has, how long that holds, and when to ask. */
#include "edge/resolve/cache.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Of so many starts one is of a name whose last question went unanswered. */
#define FAILING_SHARE 4

enum flight {
	IDLE,
	QUEUED,
	FLYING,
	SLOW, /* … not answered at once */
	LATE, /* … over its time limit */
};

struct resolve_entry {
	UT_hash_handle hh;
	TAILQ_ENTRY(resolve_entry) use;	 /* by last use, the least recent first */
	TAILQ_ENTRY(resolve_entry) turn; /* while queued */
	struct resolve_waiters waiters;
	uint64_t expires;     /* the TTL's end */
	uint64_t refresh_at;  /* the last fifth of the TTL begins */
	uint64_t stale_until; /* 0: the last question was answered */
	uint64_t retry_at;    /* no question before */
	uint64_t again_at;    /* … nor one in doubt before this */
	uint32_t again_secs;
	uint64_t keep_until[RESOLVE_FAMILIES]; /* an unanswered family's addresses */
	struct resolve_set set;		       /* empty: no address known */
	int err;			       /* of the last question */
	enum flight flight;
	char name[];
};

TAILQ_HEAD(entries, resolve_entry);

struct resolve_cache {
	size_t n_entries, max_entries;
	unsigned n_flights, max_flights; /* those that are not slow */
	unsigned starts;
	struct resolve_entry *by_name;
	struct entries by_use;
	struct entries queue, failing; /* questions to start */
};

struct resolve_cache *resolve_cache_new(size_t max_entries, unsigned max_flights)
{
	struct resolve_cache *c = calloc(1, sizeof(*c));

	if (c) {
		c->max_entries = max_entries;
		c->max_flights = max_flights;
		TAILQ_INIT(&c->by_use);
		TAILQ_INIT(&c->queue);
		TAILQ_INIT(&c->failing);
	}
	return c;
}

void resolve_cache_free(struct resolve_cache *c)
{
	struct resolve_entry *e;

	if (!c)
		return;
	HASH_CLEAR(hh, c->by_name);
	while ((e = TAILQ_FIRST(&c->by_use))) {
		TAILQ_REMOVE(&c->by_use, e, use);
		free(e);
	}
	free(c);
}

static void use_now(struct resolve_cache *c, struct resolve_entry *e)
{
	TAILQ_REMOVE(&c->by_use, e, use);
	TAILQ_INSERT_TAIL(&c->by_use, e, use);
}

/* Makes room for one entry. What is being asked for or waited for is spared: somebody has a pointer
 * to it. */
static bool make_room(struct resolve_cache *c)
{
	struct resolve_entry *e;

	if (c->n_entries < c->max_entries)
		return true;
	TAILQ_FOREACH (e, &c->by_use, use) {
		if (e->flight == IDLE && LIST_EMPTY(&e->waiters))
			break;
	}
	if (!e)
		return false;
	HASH_DEL(c->by_name, e);
	TAILQ_REMOVE(&c->by_use, e, use);
	free(e);
	c->n_entries--;
	return true;
}

static struct resolve_entry *find(struct resolve_cache *c, const char *key)
{
	struct resolve_entry *e;

	HASH_FIND_STR(c->by_name, key, e);
	return e;
}

static struct resolve_entry *add(struct resolve_cache *c, const char *key)
{
	size_t size = strlen(key) + 1;
	struct resolve_entry *e;

	if (!make_room(c))
		return NULL;
	e = calloc(1, sizeof(*e) + size);
	if (!e)
		return NULL;
	memcpy(e->name, key, size);
	HASH_ADD_KEYPTR(hh, c->by_name, e->name, size - 1, e);
	if (!e->hh.tbl) {
		free(e);
		return NULL;
	}
	LIST_INIT(&e->waiters);
	TAILQ_INSERT_TAIL(&c->by_use, e, use);
	c->n_entries++;
	return e;
}

static void ask(struct resolve_cache *c, struct resolve_entry *e)
{
	e->flight = QUEUED;
	if (e->err == ETIMEDOUT)
		TAILQ_INSERT_TAIL(&c->failing, e, turn);
	else
		TAILQ_INSERT_TAIL(&c->queue, e, turn);
}

bool resolve_cache_has_queued(const struct resolve_cache *c)
{
	return c->n_flights < c->max_flights &&
	       !(TAILQ_EMPTY(&c->queue) && TAILQ_EMPTY(&c->failing));
}

struct resolve_entry *resolve_cache_start(struct resolve_cache *c)
{
	struct entries *from = &c->queue;
	struct resolve_entry *e;

	if (!resolve_cache_has_queued(c))
		return NULL;
	if (TAILQ_EMPTY(from) ||
	    (c->starts % FAILING_SHARE == FAILING_SHARE - 1 && !TAILQ_EMPTY(&c->failing)))
		from = &c->failing;
	e = TAILQ_FIRST(from);
	TAILQ_REMOVE(from, e, turn);
	e->flight = FLYING;
	c->starts++;
	c->n_flights++;
	return e;
}

/* The name in lower case, the key of its entry; false when it cannot be one. */
static bool make_key(const char *name, char key[RESOLVE_NAME_MAX + 1])
{
	size_t n = 0;

	for (; name[n]; n++) {
		if (n == RESOLVE_NAME_MAX)
			return false;
		key[n] = (char)tolower((unsigned char)name[n]);
	}
	key[n] = '\0';
	return n > 0;
}

static void wait_for(struct resolve_entry *e, struct resolve_waiter *w)
{
	if (!w)
		return;
	LIST_INSERT_HEAD(&e->waiters, w, link);
	w->entry = e;
	w->waiting = true;
}

/* Whether what is known of @e may be used. */
static bool is_good(const struct resolve_cache *c, const struct resolve_entry *e, uint64_t now)
{
	if (resolve_set_empty(&e->set))
		return false;
	if (now < e->expires || now < e->stale_until)
		return true;
	/* Expired, and nobody has failed to answer yet: good while the new question has to wait. */
	return !e->stale_until &&
	       (e->flight == SLOW || (e->flight == QUEUED && c->n_flights >= c->max_flights));
}

int resolve_cache_lookup(struct resolve_cache *c, const char *name, uint64_t now,
			 struct resolve_waiter *w, struct resolve_set *out)
{
	char key[RESOLVE_NAME_MAX + 1];
	struct resolve_entry *e;

	if (!make_key(name, key))
		return -ENOENT;
	e = find(c, key);
	if (!e)
		e = add(c, key);
	if (!e)
		return -EBUSY;
	use_now(c, e);

	if (is_good(c, e, now)) {
		if (e->flight == IDLE && now >= e->refresh_at && now >= e->retry_at)
			ask(c, e);
		*out = e->set;
		return 0;
	}
	if (e->flight == LATE)
		return -ETIMEDOUT;
	if (e->flight == IDLE) {
		if (now < e->retry_at)
			return -e->err;
		ask(c, e);
		if (is_good(c, e, now)) {
			*out = e->set;
			return 0;
		}
	}
	wait_for(e, w);
	return -EAGAIN;
}

bool resolve_cache_again(struct resolve_cache *c, const char *name, uint64_t now,
			 struct resolve_waiter *w)
{
	char key[RESOLVE_NAME_MAX + 1];
	struct resolve_entry *e;

	e = make_key(name, key) ? find(c, key) : NULL;
	if (!e || e->flight == LATE)
		return false;
	if (e->flight == IDLE) {
		if (now < e->again_at || now < e->retry_at)
			return false;
		if (!e->again_secs)
			e->again_secs = RESOLVE_AGAIN_S;
		e->again_at = now + e->again_secs * NS_PER_SEC;
		if (e->again_secs < RESOLVE_AGAIN_MAX_S)
			e->again_secs *= 2;
		ask(c, e);
	}
	wait_for(e, w);
	return true;
}

const char *resolve_entry_name(const struct resolve_entry *e)
{
	return e->name;
}

int resolve_entry_error(const struct resolve_entry *e)
{
	return e->err;
}

bool resolve_entry_queued(const struct resolve_entry *e)
{
	return e->flight == QUEUED;
}

struct resolve_waiters *resolve_entry_waiters(struct resolve_entry *e)
{
	return &e->waiters;
}

static void free_seat(struct resolve_cache *c, struct resolve_entry *e, enum flight to)
{
	if (e->flight == FLYING)
		c->n_flights--;
	e->flight = to;
}

void resolve_cache_slow(struct resolve_cache *c, struct resolve_entry *e)
{
	if (e->flight == FLYING)
		free_seat(c, e, SLOW);
}

static uint64_t clamped_ns(uint32_t ttl)
{
	if (ttl < RESOLVE_TTL_MIN_S)
		ttl = RESOLVE_TTL_MIN_S;
	if (ttl > RESOLVE_TTL_MAX_S)
		ttl = RESOLVE_TTL_MAX_S;
	return ttl * NS_PER_SEC;
}

/* Puts what one family came to into @set. Returns how long that holds. */
static uint64_t take_family(struct resolve_entry *e, uint64_t now, const struct resolve_answer *a,
			    enum resolve_family f, struct resolve_set *set)
{
	const struct resolve_set none = {.n4 = 0};
	uint64_t lasts = UINT64_MAX;

	if (a->err[f] == 0) {
		resolve_set_take(set, &a->set, f);
		lasts = clamped_ns(a->ttl[f]);
		e->keep_until[f] = now + lasts + RESOLVE_STALE_S * NS_PER_SEC;
	} else if (a->err[f] == ENOENT || now >= e->keep_until[f]) {
		resolve_set_take(set, &none, f);
	} else if (f == RESOLVE_V4 ? set->n4 : set->n6) {
		lasts = clamped_ns(0); /* to ask again soon */
	}
	return lasts;
}

static void take(struct resolve_entry *e, uint64_t now, const struct resolve_answer *a)
{
	struct resolve_set set = e->set;
	uint64_t v4 = take_family(e, now, a, RESOLVE_V4, &set);
	uint64_t v6 = take_family(e, now, a, RESOLVE_V6, &set);
	uint64_t lasts = v4 < v6 ? v4 : v6;

	if (!resolve_set_same(&set, &e->set))
		e->again_secs = 0;
	e->set = set;
	e->expires = now + lasts;
	e->refresh_at = e->expires - lasts / 5;
	e->stale_until = e->retry_at = 0;
	e->err = 0;
}

void resolve_cache_partial(struct resolve_entry *e, uint64_t now, const struct resolve_answer *a)
{
	take(e, now, a);
}

void resolve_cache_answer(struct resolve_cache *c, struct resolve_entry *e, uint64_t now,
			  const struct resolve_answer *a)
{
	int err = resolve_answer_error(a);

	if (err) {
		resolve_cache_fail(c, e, now, err);
		return;
	}
	take(e, now, a);
	free_seat(c, e, IDLE);
}

static void failed(struct resolve_entry *e, uint64_t now, int err)
{
	e->err = err;
	e->retry_at = now + RESOLVE_NEGATIVE_S * NS_PER_SEC;
	if (err == ENOENT) {
		e->set.n4 = e->set.n6 = 0;
		e->stale_until = 0;
	} else if (!resolve_set_empty(&e->set) && !e->stale_until) {
		e->stale_until = (now > e->expires ? now : e->expires) +
				 RESOLVE_STALE_S * NS_PER_SEC;
	}
}

void resolve_cache_fail(struct resolve_cache *c, struct resolve_entry *e, uint64_t now, int err)
{
	failed(e, now, err);
	free_seat(c, e, IDLE);
}

void resolve_cache_late(struct resolve_cache *c, struct resolve_entry *e, uint64_t now)
{
	failed(e, now, ETIMEDOUT);
	free_seat(c, e, LATE);
}

void resolve_cache_retry(struct resolve_cache *c)
{
	struct resolve_entry *e;

	TAILQ_FOREACH (e, &c->by_use, use) {
		if (e->err)
			e->retry_at = 0;
	}
}
