// SPDX-License-Identifier: MIT
/* The resolver's memory: which addresses a name has, how long that holds, and when to ask. */
#include "edge/resolve_cache.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"

#define BUCKETS 4096

struct resolve_entry {
	struct resolve_entry *chain;	   /* next of its bucket */
	struct resolve_entry *prev, *next; /* by last use; towards more and less recent */
	uint64_t expires;		   /* the TTL's end */
	uint64_t refresh_at;		   /* the last fifth of the TTL begins */
	uint64_t stale_until;		   /* 0: the last query was answered */
	uint64_t retry_at;		   /* no query before */
	struct resolve_set set;		   /* empty: no address known */
	int err;			   /* of the last query */
	bool flying;			   /* a query is under way */
	bool late;			   /* … and over its time limit */
	bool awaited;			   /* … and somebody waits for its end */
	char name[];
};

struct resolve_cache {
	size_t n_entries, max_entries;
	unsigned n_flights, max_flights;
	struct resolve_entry *newest, *oldest;
	struct resolve_entry *bucket[BUCKETS];
};

static void add_v4(struct resolve_set *s, struct in_addr a)
{
	for (unsigned i = 0; i < s->n4; i++)
		if (s->v4[i].s_addr == a.s_addr)
			return;
	if (s->n4 < RESOLVE_ADDRS_MAX)
		s->v4[s->n4++] = a;
}

static void add_v6(struct resolve_set *s, const struct in6_addr *a)
{
	for (unsigned i = 0; i < s->n6; i++)
		if (IN6_ARE_ADDR_EQUAL(&s->v6[i], a))
			return;
	if (s->n6 < RESOLVE_ADDRS_MAX)
		s->v6[s->n6++] = *a;
}

void resolve_set_add(struct resolve_set *s, const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		add_v4(s, ((const struct sockaddr_in *)sa)->sin_addr);
	} else if (sa->sa_family == AF_INET6) {
		const struct in6_addr *a = &((const struct sockaddr_in6 *)sa)->sin6_addr;
		struct in_addr mapped;

		if (IN6_IS_ADDR_V4MAPPED(a)) {
			memcpy(&mapped, &a->s6_addr[12], sizeof(mapped));
			add_v4(s, mapped);
		} else {
			add_v6(s, a);
		}
	}
}

static void order_v4(const struct resolve_set *s, unsigned limit, uint16_t port,
		     struct resolve_addrs *out)
{
	for (unsigned i = 0; i < s->n4 && out->n < limit; i++) {
		union addr *a = &out->addr[out->n++];

		memset(a, 0, sizeof(*a));
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		a->v4.sin_addr = s->v4[i];
	}
}

static void order_v6(const struct resolve_set *s, unsigned limit, uint16_t port,
		     struct resolve_addrs *out)
{
	for (unsigned i = 0; i < s->n6 && out->n < limit; i++) {
		union addr *a = &out->addr[out->n++];

		memset(a, 0, sizeof(*a));
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		a->v6.sin6_addr = s->v6[i];
	}
}

void resolve_set_order(const struct resolve_set *s, uint16_t port, bool prefer_ipv6,
		       struct resolve_addrs *out)
{
	unsigned other = prefer_ipv6 ? s->n4 : s->n6;
	unsigned first = RESOLVE_ADDRS_MAX - (other > 0);

	out->n = 0;
	if (prefer_ipv6) {
		order_v6(s, first, port, out);
		order_v4(s, RESOLVE_ADDRS_MAX, port, out);
	} else {
		order_v4(s, first, port, out);
		order_v6(s, RESOLVE_ADDRS_MAX, port, out);
	}
}

struct resolve_cache *resolve_cache_new(size_t max_entries, unsigned max_flights)
{
	struct resolve_cache *c = calloc(1, sizeof(*c));

	if (c) {
		c->max_entries = max_entries;
		c->max_flights = max_flights;
	}
	return c;
}

void resolve_cache_free(struct resolve_cache *c)
{
	struct resolve_entry *e, *next;

	if (!c)
		return;
	for (e = c->newest; e; e = next) {
		next = e->next;
		free(e);
	}
	free(c);
}

/* FNV-1a. The names are the operator's, nobody gains from colliding ones. */
static struct resolve_entry **bucket_of(struct resolve_cache *c, const char *key)
{
	uint32_t h = 2166136261u;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 16777619u;
	return &c->bucket[h % BUCKETS];
}

static void use_unlink(struct resolve_cache *c, struct resolve_entry *e)
{
	*(e->prev ? &e->prev->next : &c->newest) = e->next;
	*(e->next ? &e->next->prev : &c->oldest) = e->prev;
}

static void use_now(struct resolve_cache *c, struct resolve_entry *e)
{
	e->prev = NULL;
	e->next = c->newest;
	*(c->newest ? &c->newest->prev : &c->oldest) = e;
	c->newest = e;
}

/* Makes room for one entry. What is in flight is spared: there is somebody who has a pointer to it. */
static bool make_room(struct resolve_cache *c)
{
	struct resolve_entry *e, **p;

	if (c->n_entries < c->max_entries)
		return true;
	for (e = c->oldest; e && e->flying; e = e->prev)
		;
	if (!e)
		return false;
	for (p = bucket_of(c, e->name); *p != e; p = &(*p)->chain)
		;
	*p = e->chain;
	use_unlink(c, e);
	free(e);
	c->n_entries--;
	return true;
}

static struct resolve_entry *find(struct resolve_cache *c, const char *key)
{
	struct resolve_entry *e;

	for (e = *bucket_of(c, key); e; e = e->chain)
		if (!strcmp(e->name, key))
			return e;
	return NULL;
}

static struct resolve_entry *add(struct resolve_cache *c, const char *key)
{
	size_t size = strlen(key) + 1;
	struct resolve_entry *e, **bucket;

	if (!make_room(c))
		return NULL;
	e = calloc(1, sizeof(*e) + size);
	if (!e)
		return NULL;
	memcpy(e->name, key, size);
	bucket = bucket_of(c, key);
	e->chain = *bucket;
	*bucket = e;
	use_now(c, e);
	c->n_entries++;
	return e;
}

static bool take_off(struct resolve_cache *c, struct resolve_entry *e, struct resolve_entry **start)
{
	if (c->n_flights >= c->max_flights)
		return false;
	c->n_flights++;
	e->flying = true;
	*start = e;
	return true;
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

static bool has_address(const struct resolve_set *s)
{
	return s->n4 + s->n6 > 0;
}

int resolve_cache_lookup(struct resolve_cache *c, const char *name, uint64_t now,
			 struct resolve_set *out, struct resolve_entry **start)
{
	char key[RESOLVE_NAME_MAX + 1];
	struct resolve_entry *e;

	*start = NULL;
	if (!make_key(name, key))
		return -ENOENT;
	e = find(c, key);
	if (!e) {
		/* No entry for a name that cannot be asked for now. */
		if (c->n_flights >= c->max_flights)
			return -EBUSY;
		e = add(c, key);
		if (!e)
			return -EBUSY;
	} else {
		use_unlink(c, e);
		use_now(c, e);
	}

	if (has_address(&e->set) && (now < e->expires || now < e->stale_until)) {
		if (!e->flying && now >= e->refresh_at && now >= e->retry_at)
			take_off(c, e, start);
		*out = e->set;
		return 0;
	}
	if (e->late)
		return -ETIMEDOUT;
	if (!e->flying && now < e->retry_at)
		return -e->err;
	if (!e->flying && !take_off(c, e, start))
		return -EBUSY;
	e->awaited = true;
	return -EAGAIN;
}

const char *resolve_entry_name(const struct resolve_entry *e)
{
	return e->name;
}

int resolve_entry_error(const struct resolve_entry *e)
{
	return e->err;
}

static bool land(struct resolve_cache *c, struct resolve_entry *e)
{
	bool awaited = e->awaited;

	c->n_flights--;
	e->flying = e->late = e->awaited = false;
	return awaited;
}

bool resolve_cache_answer(struct resolve_cache *c, struct resolve_entry *e, uint64_t now,
			  uint32_t ttl, const struct resolve_set *set)
{
	uint64_t lasts;

	if (!has_address(set))
		return resolve_cache_fail(c, e, now, ENOENT);
	if (ttl < RESOLVE_TTL_MIN_S)
		ttl = RESOLVE_TTL_MIN_S;
	if (ttl > RESOLVE_TTL_MAX_S)
		ttl = RESOLVE_TTL_MAX_S;
	lasts = ttl * NS_PER_SEC;
	e->set = *set;
	e->expires = now + lasts;
	e->refresh_at = e->expires - lasts / 5;
	e->stale_until = e->retry_at = 0;
	e->err = 0;
	return land(c, e);
}

static void failed(struct resolve_entry *e, uint64_t now, int err)
{
	e->err = err;
	e->retry_at = now + RESOLVE_NEGATIVE_S * NS_PER_SEC;
	if (err == ENOENT) {
		e->set.n4 = e->set.n6 = 0;
		e->stale_until = 0;
	} else if (has_address(&e->set) && !e->stale_until) {
		e->stale_until = (now > e->expires ? now : e->expires) +
				 RESOLVE_STALE_S * NS_PER_SEC;
	}
}

bool resolve_cache_fail(struct resolve_cache *c, struct resolve_entry *e, uint64_t now, int err)
{
	failed(e, now, err);
	return land(c, e);
}

bool resolve_cache_late(struct resolve_cache *c, struct resolve_entry *e, uint64_t now)
{
	bool awaited = e->awaited;

	failed(e, now, ETIMEDOUT);
	e->late = true;
	e->awaited = false;
	return awaited;
}

void resolve_cache_abort(struct resolve_cache *c, struct resolve_entry *e)
{
	land(c, e);
}

void resolve_cache_retry(struct resolve_cache *c)
{
	for (struct resolve_entry *e = c->newest; e; e = e->next)
		if (e->err)
			e->retry_at = 0;
}
