// SPDX-License-Identifier: MIT
/* The resolver's cache with a clock of its own: no network, no threads, no waiting. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "edge/resolve/cache.h"
#include "edge/resolve/search.h"
#include "lib/base/clock.h"

#define T0   (1000 * NS_PER_SEC)
#define S(n) ((uint64_t)((n)*1000) * NS_PER_MS)
#define A    "192.0.2.1"
#define B    "192.0.2.2"

static struct resolve_set set_of(const char *const *texts)
{
	struct resolve_set s = {.n4 = 0};

	for (; *texts; texts++) {
		union addr a = {.v4.sin_family = AF_INET};

		if (strchr(*texts, ':')) {
			a.v6.sin6_family = AF_INET6;
			assert_int_equal(inet_pton(AF_INET6, *texts, &a.v6.sin6_addr), 1);
		} else {
			assert_int_equal(inet_pton(AF_INET, *texts, &a.v4.sin_addr), 1);
		}
		resolve_set_add(&s, &a.sa);
	}
	return s;
}

static struct resolve_set one(const char *text)
{
	return set_of((const char *const[]){text, NULL});
}

/* What a caller would get: "192.0.2.1 2001:db8::1". */
static const char *order_text(const struct resolve_set *s, bool prefer_ipv6, char *buf, size_t size)
{
	struct resolve_addrs out;
	char host[INET6_ADDRSTRLEN];

	buf[0] = '\0';
	resolve_set_order(s, 80, prefer_ipv6, &out);
	for (unsigned i = 0; i < out.n; i++) {
		const union addr *a = &out.addr[i];
		size_t len = strlen(buf);

		assert_int_equal(ntohs(a->v4.sin_port), 80); /* the same place in both */
		inet_ntop(a->sa.sa_family,
			  a->sa.sa_family == AF_INET ? (const void *)&a->v4.sin_addr
						     : (const void *)&a->v6.sin6_addr,
			  host, sizeof(host));
		snprintf(buf + len, size - len, "%s%s", len ? " " : "", host);
	}
	return buf;
}

#define assert_order(s, prefer_ipv6, text)                                                     \
	do {                                                                                   \
		char buf_[512];                                                                \
		assert_string_equal(order_text((s), (prefer_ipv6), buf_, sizeof(buf_)), text); \
	} while (0)

/* Those who wait; a cache that goes takes them along. */
static struct resolve_waiter pool[16];

static struct resolve_cache *new_cache(size_t entries, unsigned flights)
{
	memset(pool, 0, sizeof(pool));
	return resolve_cache_new(entries, flights);
}

/* Whether somebody waited for @e; nobody does any more. */
static bool told(struct resolve_entry *e)
{
	struct resolve_waiters *all = resolve_entry_waiters(e);
	struct resolve_waiter *w;
	bool any = false;

	while ((w = LIST_FIRST(all))) {
		LIST_REMOVE(w, link);
		w->waiting = false;
		any = true;
	}
	return any;
}

static bool answer(struct resolve_cache *c, struct resolve_entry *e, uint64_t now, uint32_t ttl,
		   const struct resolve_set *set)
{
	const struct resolve_answer a = {.set = *set,
					 .err = {set->n4 ? 0 : ENOENT, set->n6 ? 0 : ENOENT},
					 .ttl = {ttl, ttl}};

	resolve_cache_answer(c, e, now, &a);
	return told(e);
}

static bool no_answer(struct resolve_cache *c, struct resolve_entry *e, uint64_t now, int err)
{
	resolve_cache_fail(c, e, now, err);
	return told(e);
}

static bool late(struct resolve_cache *c, struct resolve_entry *e, uint64_t now)
{
	resolve_cache_late(c, e, now);
	return told(e);
}

/* Looks up, and starts a question if there is one to start. */
struct seen {
	int rc;
	struct resolve_entry *start;
	struct resolve_set set;
};

static struct seen look_only(struct resolve_cache *c, const char *name, uint64_t now)
{
	struct resolve_waiter *w = pool;
	struct seen s = {.rc = 0};

	while (w < pool + 15 && w->waiting)
		w++;
	s.rc = resolve_cache_lookup(c, name, now, w->waiting ? NULL : w, &s.set);
	return s;
}

static struct seen look(struct resolve_cache *c, const char *name, uint64_t now)
{
	struct seen s = look_only(c, name, now);

	s.start = resolve_cache_start(c);
	return s;
}

static void assert_seen(struct seen s, int rc, bool start, const char *addresses)
{
	assert_int_equal(s.rc, rc);
	assert_int_equal(s.start != NULL, start);
	if (rc == 0)
		assert_order(&s.set, false, addresses);
}

/* A cache in which @name was answered at T0. */
static struct resolve_cache *with(const char *name, const char *address, uint32_t ttl)
{
	struct resolve_cache *c = new_cache(8, 4);
	struct resolve_set set = one(address);
	struct seen s;

	assert_non_null(c);
	s = look(c, name, T0);
	assert_seen(s, -EAGAIN, true, NULL);
	assert_true(answer(c, s.start, T0, ttl, &set));
	return c;
}

static void miss_then_hit(void **state)
{
	struct resolve_cache *c = with("a.test", A, 60);

	assert_seen(look(c, "a.test", T0 + S(1)), 0, false, A);
	assert_seen(look(c, "A.TeSt", T0 + S(1)), 0, false, A);
	resolve_cache_free(c);
}

static void ttl_is_clamped(void **state)
{
	struct resolve_cache *c = with("a.test", A, 0);

	assert_seen(look(c, "a.test", T0 + S(3.9)), 0, false, A);
	assert_seen(look(c, "a.test", T0 + S(5)), -EAGAIN, true, NULL);
	resolve_cache_free(c);

	c = with("a.test", A, 86400);
	assert_seen(look(c, "a.test", T0 + S(239)), 0, false, A);
	assert_seen(look(c, "a.test", T0 + S(300)), -EAGAIN, true, NULL);
	resolve_cache_free(c);

	c = with("a.test", A, 100);
	assert_seen(look(c, "a.test", T0 + S(79.9)), 0, false, A);
	assert_seen(look(c, "a.test", T0 + S(100)), -EAGAIN, true, NULL);
	resolve_cache_free(c);
}

static void last_fifth_refreshes_in_the_background(void **state)
{
	struct resolve_cache *c = with("a.test", A, 100);
	struct resolve_set set = one(B);
	struct seen s = look(c, "a.test", T0 + S(80));

	assert_seen(s, 0, true, A);
	assert_seen(look(c, "a.test", T0 + S(81)), 0, false, A);
	/* Nobody waits, so nobody is to be told. */
	assert_false(answer(c, s.start, T0 + S(82), 100, &set));
	assert_seen(look(c, "a.test", T0 + S(161)), 0, false, B);
	assert_seen(look(c, "a.test", T0 + S(162)), 0, true, B);
	resolve_cache_free(c);
}

static void one_flight_for_one_name(void **state)
{
	struct resolve_cache *c = new_cache(8, 4);
	struct resolve_set set = one(A);
	struct seen s = look(c, "a.test", T0);

	assert_seen(s, -EAGAIN, true, NULL);
	assert_string_equal(resolve_entry_name(s.start), "a.test");
	assert_seen(look(c, "a.test", T0), -EAGAIN, false, NULL);
	assert_seen(look(c, "A.test", T0 + S(1)), -EAGAIN, false, NULL);
	assert_true(answer(c, s.start, T0 + S(1), 60, &set));
	assert_seen(look(c, "a.test", T0 + S(1)), 0, false, A);
	resolve_cache_free(c);
}

/* More questions than may be asked at a time wait in order; nobody is refused. */
static void questions_queue(void **state)
{
	struct resolve_cache *c = with("old.test", A, 10);
	struct resolve_set set = one(A);
	struct seen s[4];
	char name[16];

	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		s[i] = look(c, name, T0);
		assert_seen(s[i], -EAGAIN, true, NULL);
	}
	assert_seen(look(c, "n4.test", T0), -EAGAIN, false, NULL);
	/* A known name is served, and so it is when it has expired while its question has to wait. */
	assert_seen(look(c, "old.test", T0 + S(9)), 0, false, A);
	assert_seen(look(c, "old.test", T0 + S(110)), 0, false, A);
	assert_false(resolve_cache_has_queued(c));
	answer(c, s[0].start, T0, 60, &set);
	assert_true(resolve_cache_has_queued(c));
	assert_string_equal(resolve_entry_name(resolve_cache_start(c)), "n4.test");
	assert_null(resolve_cache_start(c));
	/* What is not answered at once makes room. */
	resolve_cache_slow(c, s[1].start);
	assert_string_equal(resolve_entry_name(resolve_cache_start(c)), "old.test");
	assert_false(resolve_cache_has_queued(c));
	resolve_cache_slow(c, s[1].start);
	assert_true(answer(c, s[1].start, T0, 60, &set));
	assert_seen(look(c, "n5.test", T0), -EAGAIN, false, NULL);
	resolve_cache_free(c);
}

/* A dead zone: names that went unanswered get every fourth start only. */
static void failing_names_queue_apart(void **state)
{
	struct resolve_cache *c = new_cache(64, 1);
	struct resolve_set set = one(A);
	struct resolve_entry *e;
	int good = 0;
	char name[16];

	for (int i = 0; i < 20; i++) {
		struct seen s;

		snprintf(name, sizeof(name), "d%d.dead", i);
		s = look(c, name, T0);
		assert_non_null(s.start);
		no_answer(c, s.start, T0, ETIMEDOUT);
	}
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "d%d.dead", i);
		assert_int_equal(look_only(c, name, T0 + S(5)).rc, -EAGAIN);
	}
	for (int i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "g%d.good", i);
		assert_int_equal(look_only(c, name, T0 + S(5)).rc, -EAGAIN);
	}
	for (int i = 0; i < 12; i++) {
		e = resolve_cache_start(c);
		good += strstr(resolve_entry_name(e), ".good") != NULL;
		answer(c, e, T0 + S(5), 60, &set);
	}
	assert_int_equal(good, 9);
	resolve_cache_free(c);
}

/* What has expired serves on while the servers take their time, and until they have failed for 30 s. */
static void expired_serves_while_asked(void **state)
{
	struct resolve_cache *c = with("a.test", A, 10);
	struct seen s = look(c, "a.test", T0 + S(600));

	assert_seen(s, -EAGAIN, true, NULL);
	resolve_cache_slow(c, s.start);
	assert_true(told(s.start));
	assert_seen(look(c, "a.test", T0 + S(600.3)), 0, false, A);
	no_answer(c, s.start, T0 + S(603), ETIMEDOUT);
	assert_seen(look(c, "a.test", T0 + S(603)), 0, false, A);
	assert_seen(look(c, "a.test", T0 + S(634)), -EAGAIN, true, NULL);
	resolve_cache_free(c);
}

/* What one family lacks says nothing of the other. */
static void families_are_summed(void **state)
{
	const struct resolve_answer a_fails = {.err = {ETIMEDOUT, ENOENT}};
	const struct resolve_answer aaaa_fails = {.err = {ENOENT, ETIMEDOUT}};
	const struct resolve_answer neither = {.err = {ENOENT, ENOENT}};
	struct resolve_answer half = {.err = {ETIMEDOUT, 0}, .ttl = {0, 60}};
	struct resolve_cache *c = with("a.test", A, 10);
	struct seen s = look(c, "a.test", T0 + S(9));

	resolve_cache_answer(c, s.start, T0 + S(9), &a_fails);
	assert_seen(look(c, "a.test", T0 + S(11)), 0, false, A);
	s = look(c, "a.test", T0 + S(13));
	resolve_cache_answer(c, s.start, T0 + S(13), &aaaa_fails);
	assert_seen(look(c, "a.test", T0 + S(14)), 0, false, A);
	/* The other family is answered: the first one's old addresses stay, for a while. */
	half.set = one("2001:db8::1");
	s = look(c, "a.test", T0 + S(17));
	resolve_cache_answer(c, s.start, T0 + S(17), &half);
	assert_seen(look(c, "a.test", T0 + S(18)), 0, false, A " 2001:db8::1");
	s = look(c, "a.test", T0 + S(60));
	resolve_cache_answer(c, s.start, T0 + S(60), &half);
	assert_seen(look(c, "a.test", T0 + S(61)), 0, false, "2001:db8::1");
	s = look(c, "a.test", T0 + S(119));
	resolve_cache_answer(c, s.start, T0 + S(119), &neither);
	assert_seen(look(c, "a.test", T0 + S(119)), -ENOENT, false, NULL);
	resolve_cache_free(c);
}

/* The second family is slow: what the first one gave is used, and the flight goes on. */
static void the_first_family_goes_ahead(void **state)
{
	struct resolve_answer a = {.err = {EINPROGRESS, 0}, .ttl = {0, 60}};
	struct resolve_cache *c = new_cache(8, 4);
	struct seen s = look(c, "a.test", T0);

	a.set = one("2001:db8::1");
	resolve_cache_partial(s.start, T0 + S(0.05), &a);
	assert_true(told(s.start));
	assert_seen(look(c, "a.test", T0 + S(0.05)), 0, false, "2001:db8::1");
	resolve_set_add(&a.set, &(union addr){.v4 = {.sin_family = AF_INET, .sin_addr = {1}}}.sa);
	a.err[RESOLVE_V4] = 0;
	resolve_cache_answer(c, s.start, T0 + S(1), &a);
	assert_seen(look(c, "a.test", T0 + S(1)), 0, false, "1.0.0.0 2001:db8::1");
	resolve_cache_free(c);
}

/* A name whose addresses do not work is asked for whatever its TTL, but not all the time. */
static void asked_again_in_doubt(void **state)
{
	struct resolve_cache *c = with("a.test", A, 300);
	struct resolve_set same = one(A), other = one(B);
	struct resolve_waiter w = {.waiting = false};
	struct resolve_entry *e;

	assert_false(resolve_cache_again(c, "unknown.test", T0, NULL));
	assert_true(resolve_cache_again(c, "a.test", T0 + S(1), &w));
	assert_true(w.waiting);
	e = resolve_cache_start(c);
	assert_non_null(e);
	/* Under way: nothing more to ask, but worth waiting for. */
	assert_true(resolve_cache_again(c, "A.test", T0 + S(1), NULL));
	assert_null(resolve_cache_start(c));
	assert_seen(look(c, "a.test", T0 + S(1)), 0, false, A);
	assert_true(answer(c, e, T0 + S(1), 300, &same));
	assert_false(resolve_cache_again(c, "a.test", T0 + S(1.9), NULL));
	assert_true(resolve_cache_again(c, "a.test", T0 + S(2), NULL));
	answer(c, resolve_cache_start(c), T0 + S(2), 300, &same);
	/* The same answer twice: the next time is later. */
	assert_false(resolve_cache_again(c, "a.test", T0 + S(3.9), NULL));
	assert_true(resolve_cache_again(c, "a.test", T0 + S(4), NULL));
	answer(c, resolve_cache_start(c), T0 + S(4), 300, &other);
	assert_seen(look(c, "a.test", T0 + S(4)), 0, false, B);
	resolve_cache_free(c);
}

/* A final dot makes another name of it. */
static void absolute_names_are_others(void **state)
{
	struct resolve_cache *c = with("a.test", A, 300);
	struct seen s = look(c, "a.test.", T0);

	assert_seen(s, -EAGAIN, true, NULL);
	assert_string_equal(resolve_entry_name(s.start), "a.test.");
	resolve_cache_free(c);
}

static void search_list(void **state)
{
	char *domains[] = {"one.test", "two.test"};
	const struct resolve_search s = {.ndots = 2, .n_domains = 2, .domains = domains};
	char buf[600];
	static const struct {
		const char *name, *asked[4];
	} cases[] = {
		{"db", {"db.one.test", "db.two.test", "db"}},
		{"db.prod", {"db.prod.one.test", "db.prod.two.test", "db.prod"}},
		{"db.prod.x", {"db.prod.x", "db.prod.x.one.test", "db.prod.x.two.test"}},
		{"db.", {"db"}},
		{"db.prod.", {"db.prod"}},
		{"", {NULL}},
		{".", {NULL}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned step = 0;

		for (; cases[i].asked[step]; step++) {
			assert_true(resolve_search_name(&s, cases[i].name, step, buf, sizeof(buf)));
			assert_string_equal(buf, cases[i].asked[step]);
		}
		assert_false(resolve_search_name(&s, cases[i].name, step, buf, sizeof(buf)));
	}
}

static void negative_for_three_seconds(void **state)
{
	struct resolve_cache *c = new_cache(8, 4);
	const int errors[] = {ENOENT, ETIMEDOUT, ENOBUFS};
	const char *const names[] = {"a.test", "b.test", "c.test"};

	for (int i = 0; i < 3; i++) {
		struct seen s = look(c, names[i], T0);

		assert_true(no_answer(c, s.start, T0, errors[i]));
		assert_seen(look(c, names[i], T0 + S(2.9)), -errors[i], false, NULL);
		assert_seen(look(c, names[i], T0 + S(3)), -EAGAIN, true, NULL);
	}
	resolve_cache_free(c);
}

static void empty_answer_is_no_such_name(void **state)
{
	struct resolve_cache *c = new_cache(8, 4);
	const struct resolve_set none = {.n4 = 0};
	struct seen s = look(c, "a.test", T0);

	assert_true(answer(c, s.start, T0, 60, &none));
	assert_seen(look(c, "a.test", T0), -ENOENT, false, NULL);
	resolve_cache_free(c);
}

static void names_that_are_none(void **state)
{
	struct resolve_cache *c = new_cache(8, 4);
	char longest[257];

	memset(longest, 'a', sizeof(longest));
	longest[256] = '\0';
	assert_seen(look(c, longest, T0), -ENOENT, false, NULL);
	longest[255] = '\0';
	assert_seen(look(c, longest, T0), -EAGAIN, true, NULL);
	assert_seen(look(c, "", T0), -ENOENT, false, NULL);
	resolve_cache_free(c);
}

static void stale_after_failure(void **state)
{
	struct resolve_cache *c = with("a.test", A, 10);
	struct resolve_set set = one(B);
	struct seen s = look(c, "a.test", T0 + S(12));

	/* The first one after the end waits for the refresh, */
	assert_seen(s, -EAGAIN, true, NULL);
	assert_true(no_answer(c, s.start, T0 + S(15), ETIMEDOUT));
	/* and when that fails the old answer serves 30 s, asked for again every 3 s. */
	assert_seen(look(c, "a.test", T0 + S(17.9)), 0, false, A);
	s = look(c, "a.test", T0 + S(18));
	assert_seen(s, 0, true, A);
	assert_seen(look(c, "a.test", T0 + S(19)), 0, false, A);
	assert_false(no_answer(c, s.start, T0 + S(20), ETIMEDOUT));
	/* A second failure does not prolong it. */
	s = look(c, "a.test", T0 + S(44.9));
	assert_seen(s, 0, true, A);
	no_answer(c, s.start, T0 + S(44.9), ETIMEDOUT);
	assert_seen(look(c, "a.test", T0 + S(45)), -ETIMEDOUT, false, NULL);
	s = look(c, "a.test", T0 + S(48));
	assert_seen(s, -EAGAIN, true, NULL);
	/* Once answered, the next failure has its own 30 s. */
	answer(c, s.start, T0 + S(48), 10, &set);
	s = look(c, "a.test", T0 + S(60));
	assert_seen(s, -EAGAIN, true, NULL);
	no_answer(c, s.start, T0 + S(60), ETIMEDOUT);
	assert_seen(look(c, "a.test", T0 + S(61)), 0, false, B);
	resolve_cache_free(c);
}

static void failure_before_the_end_of_the_ttl(void **state)
{
	struct resolve_cache *c = with("a.test", A, 100);
	struct seen s = look(c, "a.test", T0 + S(80));

	no_answer(c, s.start, T0 + S(80), ETIMEDOUT);
	assert_seen(look(c, "a.test", T0 + S(82)), 0, false, A);
	/* The 30 s begin with the end of the TTL. */
	s = look(c, "a.test", T0 + S(129));
	assert_seen(s, 0, true, A);
	no_answer(c, s.start, T0 + S(129), ETIMEDOUT);
	assert_seen(look(c, "a.test", T0 + S(130)), -ETIMEDOUT, false, NULL);
	resolve_cache_free(c);
}

static void no_such_name_is_an_answer(void **state)
{
	struct resolve_cache *c = with("a.test", A, 10);
	struct seen s = look(c, "a.test", T0 + S(9));

	assert_seen(s, 0, true, A);
	no_answer(c, s.start, T0 + S(9), ENOENT);
	assert_seen(look(c, "a.test", T0 + S(9)), -ENOENT, false, NULL);
	resolve_cache_free(c);
}

static void late_flight(void **state)
{
	struct resolve_cache *c = new_cache(8, 4);
	struct resolve_set set = one(A);
	struct seen s = look(c, "a.test", T0);

	assert_true(late(c, s.start, T0 + S(3)));
	/* Still the only flight, however long it takes. */
	assert_seen(look(c, "a.test", T0 + S(4)), -ETIMEDOUT, false, NULL);
	assert_seen(look(c, "a.test", T0 + S(9)), -ETIMEDOUT, false, NULL);
	assert_false(answer(c, s.start, T0 + S(10), 60, &set));
	assert_seen(look(c, "a.test", T0 + S(10)), 0, false, A);
	resolve_cache_free(c);
}

static void retry_after_a_change(void **state)
{
	struct resolve_cache *c = new_cache(8, 4);
	struct seen s = look(c, "a.test", T0);

	no_answer(c, s.start, T0, ETIMEDOUT);
	assert_int_equal(resolve_entry_error(s.start), ETIMEDOUT);
	assert_seen(look(c, "a.test", T0), -ETIMEDOUT, false, NULL);
	resolve_cache_retry(c);
	assert_seen(look(c, "a.test", T0), -EAGAIN, true, NULL);
	resolve_cache_free(c);
}

static void least_recently_used_goes(void **state)
{
	struct resolve_cache *c = new_cache(3, 64);
	struct resolve_set set = one(A);
	struct seen flying = look(c, "flying.test", T0), s;

	/* The oldest of all, but in flight. */
	assert_seen(flying, -EAGAIN, true, NULL);
	s = look(c, "a.test", T0);
	answer(c, s.start, T0, 60, &set);
	s = look(c, "b.test", T0);
	answer(c, s.start, T0, 60, &set);
	assert_seen(look(c, "a.test", T0), 0, false, A);
	s = look(c, "c.test", T0);
	answer(c, s.start, T0, 60, &set);
	assert_seen(look(c, "a.test", T0), 0, false, A);
	assert_seen(look(c, "c.test", T0), 0, false, A);
	answer(c, flying.start, T0, 60, &set);
	assert_seen(look(c, "flying.test", T0), 0, false, A);
	s = look(c, "b.test", T0);
	assert_seen(s, -EAGAIN, true, NULL);
	resolve_cache_free(c);
}

static void full_of_flights(void **state)
{
	struct resolve_cache *c = new_cache(2, 64);

	assert_seen(look(c, "a.test", T0), -EAGAIN, true, NULL);
	assert_seen(look(c, "b.test", T0), -EAGAIN, true, NULL);
	assert_seen(look(c, "c.test", T0), -EBUSY, false, NULL);
	resolve_cache_free(c);
}

static void many_names(void **state)
{
	struct resolve_cache *c = new_cache(8192, RESOLVE_FLIGHTS_MAX);
	struct resolve_set set = one(A);
	char name[32];

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 8292; i++) {
			struct seen s;

			snprintf(name, sizeof(name), "host-%d.test", i);
			s = look(c, name, T0);
			assert_seen(s, -EAGAIN, true, NULL);
			answer(c, s.start, T0, 60, &set);
		}
	assert_seen(look(c, "host-8000.test", T0), 0, false, A);
	resolve_cache_free(c);
}

static void family_order(void **state)
{
	struct resolve_set s = set_of((const char *const[]){"2001:db8::2", "192.0.2.9",
							    "2001:db8::1", "192.0.2.3", NULL});

	assert_order(&s, false, "192.0.2.9 192.0.2.3 2001:db8::2 2001:db8::1");
	assert_order(&s, true, "2001:db8::2 2001:db8::1 192.0.2.9 192.0.2.3");
}

static void more_than_fit(void **state)
{
	struct resolve_set s = {.n4 = 0};
	char want[512];
	int n = 0;

	for (int i = 1; i <= 20; i++) {
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(0xc0000200 + i)}};

		resolve_set_add(&s, (struct sockaddr *)&a);
	}
	for (int i = 1; i <= RESOLVE_ADDRS_MAX; i++)
		n += snprintf(want + n, sizeof(want) - n, "%s192.0.2.%d", i > 1 ? " " : "", i);
	assert_order(&s, true, want);
	for (int i = 1; i <= 20; i++) {
		struct sockaddr_in6 a = {.sin6_family = AF_INET6};

		inet_pton(AF_INET6, "2001:db8::", &a.sin6_addr);
		a.sin6_addr.s6_addr[15] = (uint8_t)i;
		resolve_set_add(&s, (struct sockaddr *)&a);
	}
	n = 0;
	for (int i = 1; i < RESOLVE_ADDRS_MAX; i++)
		n += snprintf(want + n, sizeof(want) - n, "192.0.2.%d ", i);
	snprintf(want + n, sizeof(want) - n, "2001:db8::1");
	assert_order(&s, false, want);
	n = 0;
	for (int i = 1; i < RESOLVE_ADDRS_MAX; i++)
		n += snprintf(want + n, sizeof(want) - n, "2001:db8::%x ", i);
	snprintf(want + n, sizeof(want) - n, "192.0.2.1");
	assert_order(&s, true, want);
}

static void same_in_another_order(void **state)
{
	struct resolve_set a = set_of((const char *const[]){A, B, "2001:db8::1", NULL});
	struct resolve_set b = set_of((const char *const[]){"2001:db8::1", B, A, NULL});
	struct resolve_set c = set_of((const char *const[]){A, B, "2001:db8::2", NULL});
	struct resolve_set d = set_of((const char *const[]){A, "2001:db8::1", NULL});

	assert_true(resolve_set_same(&a, &b));
	assert_false(resolve_set_same(&a, &c));
	assert_false(resolve_set_same(&a, &d));
}

static void twice_and_mapped(void **state)
{
	struct resolve_set s = set_of((const char *const[]){A, "::ffff:192.0.2.1", "2001:db8::1", A,
							    "2001:db8::1", NULL});

	assert_order(&s, false, "192.0.2.1 2001:db8::1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(miss_then_hit),
		cmocka_unit_test(ttl_is_clamped),
		cmocka_unit_test(last_fifth_refreshes_in_the_background),
		cmocka_unit_test(one_flight_for_one_name),
		cmocka_unit_test(questions_queue),
		cmocka_unit_test(failing_names_queue_apart),
		cmocka_unit_test(expired_serves_while_asked),
		cmocka_unit_test(families_are_summed),
		cmocka_unit_test(the_first_family_goes_ahead),
		cmocka_unit_test(asked_again_in_doubt),
		cmocka_unit_test(absolute_names_are_others),
		cmocka_unit_test(search_list),
		cmocka_unit_test(negative_for_three_seconds),
		cmocka_unit_test(empty_answer_is_no_such_name),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(stale_after_failure),
		cmocka_unit_test(failure_before_the_end_of_the_ttl),
		cmocka_unit_test(no_such_name_is_an_answer),
		cmocka_unit_test(late_flight),
		cmocka_unit_test(retry_after_a_change),
		cmocka_unit_test(least_recently_used_goes),
		cmocka_unit_test(full_of_flights),
		cmocka_unit_test(many_names),
		cmocka_unit_test(family_order),
		cmocka_unit_test(more_than_fit),
		cmocka_unit_test(same_in_another_order),
		cmocka_unit_test(twice_and_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
