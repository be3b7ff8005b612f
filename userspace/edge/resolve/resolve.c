// SPDX-License-Identifier: MIT
/* Names for the workers: a locked cache in any thread, the queries for it in the main thread. */
#include "edge/resolve/resolve.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "edge/loop/mailbox.h"
#include "edge/resolve/addrs.h"
#include "edge/resolve/cache.h"
#include "edge/resolve/dns.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define PATIENCE_MS 250	 /* then what has expired serves on, and the next question may start */
#define LIMIT_MS    3000 /* of one lookup, as seen by who waits for it */
#define DNS_MS	    2900 /* what c-ares gets of that, so that its own verdict comes first */
#define RENEW_MS    5000 /* between two channels, unless resolv.conf has changed */
#define FORGIVE_MS  1000 /* between two times that failures are forgotten */
#define PULSE_MS    200 /* while a question is under way the thread says so often that it runs … */
#define STALLED_MS  600 /* … and so long without a word means that it does not */

struct resolver {
	/* Any thread. */
	pthread_mutex_t lock;	     /* of the cache, waiters and inboxes */
	struct resolve_cache *cache; /* guarded by lock, as is the next */
	bool asked_for;		     /* start_job is posted */
	struct mailbox box;
	struct job start_job;
	atomic_ullong alive_ns; /* when the main thread was seen at work */

	/* Main thread. */
	struct event_base *base;
	const char *servers;   /* PORTUNUS_DNS_SERVERS, or NULL: RESOLV_CONF */
	struct event *wake;    /* the mailbox has something */
	struct event *renewal; /* the network has changed since the channel was made */
	struct event *pulse;
	struct resolve_dns *dns;
	struct stat conf; /* RESOLV_CONF as it was when dns was made */
	uint64_t dns_since_ns, forgiven_ns;
	unsigned n_flights;
	bool starting; /* start_questions() is at work */
	bool closing;
};

/* One question under way. Owned by the main thread. */
struct flight {
	struct resolver *r;
	struct resolve_entry *entry;
	struct event limit; /* PATIENCE_MS, then LIMIT_MS */
	bool slow;
};

static const struct timeval pulse_every = {.tv_usec = PULSE_MS * 1000};

/* All zero when the file is not there, so that its appearance is a change. */
static void stat_conf(struct stat *st)
{
	if (stat(RESOLV_CONF, st) < 0)
		*st = (struct stat){.st_ino = 0};
}

static bool conf_changed(const struct resolver *r)
{
	struct stat now;

	if (r->servers)
		return false;
	stat_conf(&now);
	return now.st_ino != r->conf.st_ino || now.st_dev != r->conf.st_dev ||
	       now.st_size != r->conf.st_size || now.st_mtim.tv_sec != r->conf.st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != r->conf.st_mtim.tv_nsec;
}

/* Replaces the channel, and with it servers and sockets. What was under way on the old one is
 * cancelled, and asked again on the new one (on_answer). */
static int renew_dns(struct resolver *r)
{
	struct resolve_dns *old = r->dns, *dns;
	int rc;

	/* Before the file is read: a change during the reading is seen later. */
	stat_conf(&r->conf);
	rc = resolve_dns_new(r->base, r->servers, DNS_MS, &dns);
	if (rc < 0)
		return rc;
	r->dns = dns;
	r->dns_since_ns = clock_mono_ns();
	evtimer_del(r->renewal);
	resolve_dns_free(old);
	return 0;
}

static void renew_or_keep(struct resolver *r)
{
	int rc = renew_dns(r);

	if (rc < 0)
		log_event(LOG_WARN, "resolve.reload_failed", LOGF_INT("errno", -rc));
}

static void lock(struct resolver *r)
{
	pthread_mutex_lock(&r->lock);
}

static void unlock(struct resolver *r)
{
	pthread_mutex_unlock(&r->lock);
}

/* Sends those who wait for @e into their inboxes, each of which is told once. Under the lock. */
static void tell(struct resolve_entry *e)
{
	struct resolve_waiters *all = resolve_entry_waiters(e);
	struct resolve_waiter *w;

	while ((w = LIST_FIRST(all))) {
		struct resolve_inbox *inbox = w->inbox;

		LIST_REMOVE(w, link);
		w->entry = NULL;
		LIST_INSERT_HEAD(&inbox->ready, w, link);
		if (!inbox->told) {
			inbox->told = true;
			inbox->wake(inbox);
		}
	}
}

static void end_flight(struct flight *f)
{
	event_del(&f->limit);
	f->r->n_flights--;
	free(f);
}

/* A name's trouble is told once when it begins and once when it is over. */
static void log_outcome(const char *name, int before, int err, const char *why)
{
	if (err && !before)
		log_event(LOG_WARN, "resolve.failed", LOGF_STR("name", name),
			  LOGF_STR("reason", why));
	else if (!err && before)
		log_event(LOG_INFO, "resolve.recovered", LOGF_STR("name", name));
}

static void set_limit(struct flight *f, unsigned ms)
{
	const struct timeval in = {ms / 1000, (ms % 1000) * 1000};

	evtimer_add(&f->limit, &in);
}

static void start_questions(struct resolver *r);

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct flight *f = arg;
	struct resolver *r = f->r;
	bool slow = f->slow;
	int before;

	f->slow = true;
	lock(r);
	before = resolve_entry_error(f->entry);
	if (slow)
		resolve_cache_late(r->cache, f->entry, clock_mono_ns());
	else
		resolve_cache_slow(r->cache, f->entry);
	tell(f->entry);
	unlock(r);
	if (slow) {
		/* Only we end this flight, so the entry stays. */
		log_outcome(resolve_entry_name(f->entry), before, ETIMEDOUT, "no answer in time");
	} else {
		set_limit(f, LIMIT_MS - PATIENCE_MS);
		start_questions(r);
	}
}

static bool cancelled(const struct resolve_answer *a)
{
	return a->err[RESOLVE_V4] == ECANCELED || a->err[RESOLVE_V6] == ECANCELED;
}

static void on_answer(void *arg, const struct resolve_answer *a, bool last, const char *why)
{
	struct flight *f = arg;
	struct resolver *r = f->r;

	if (last && cancelled(a)) {
		if (r->closing)
			end_flight(f);
		else
			resolve_dns_query(r->dns, resolve_entry_name(f->entry), on_answer, f);
		return;
	}
	log_outcome(resolve_entry_name(f->entry), resolve_entry_error(f->entry),
		    resolve_answer_error(a), why);
	lock(r);
	if (last)
		resolve_cache_answer(r->cache, f->entry, clock_mono_ns(), a);
	else
		resolve_cache_partial(f->entry, clock_mono_ns(), a);
	tell(f->entry);
	unlock(r);
	if (!last)
		return;
	end_flight(f);
	start_questions(r);
}

static void start_question(struct resolver *r, struct resolve_entry *e)
{
	struct flight *f = calloc(1, sizeof(*f));

	if (!f) {
		lock(r);
		resolve_cache_fail(r->cache, e, clock_mono_ns(), ENOBUFS);
		tell(e);
		unlock(r);
		return;
	}
	f->r = r;
	f->entry = e;
	evtimer_assign(&f->limit, r->base, on_limit, f);
	set_limit(f, PATIENCE_MS);
	if (!r->n_flights++)
		evtimer_add(r->pulse, &pulse_every);
	resolve_dns_query(r->dns, resolve_entry_name(e), on_answer, f);
}

static void start_questions(struct resolver *r)
{
	struct resolve_entry *e;

	/* The end of a question, which may come before its start has returned, calls this too. */
	if (r->starting)
		return;
	r->starting = true;
	atomic_store(&r->alive_ns, clock_mono_ns());
	while (!r->closing) {
		lock(r);
		e = resolve_cache_start(r->cache);
		unlock(r);
		if (!e)
			break;
		start_question(r, e);
	}
	r->starting = false;
}

/* The main thread's half of resolve_lookup(). */
static void on_asked_for(struct job *job)
{
	struct resolver *r = container_of(job, struct resolver, start_job);

	lock(r);
	r->asked_for = false;
	unlock(r);
	if (r->closing)
		return;
	if (conf_changed(r))
		renew_or_keep(r);
	start_questions(r);
}

static void on_pulse(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;

	atomic_store(&r->alive_ns, clock_mono_ns());
	if (r->n_flights)
		evtimer_add(r->pulse, &pulse_every);
}

static void on_renewal(evutil_socket_t fd, short what, void *arg)
{
	renew_or_keep(arg);
}

static void free_events(struct resolver *r)
{
	struct event *all[] = {r->wake, r->renewal, r->pulse};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i])
			event_free(all[i]);
}

struct resolver *resolve_new(struct event_base *base)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (!r)
		goto failed;
	r->base = base;
	r->start_job.run = on_asked_for;
	r->servers = getenv("PORTUNUS_DNS_SERVERS");
	pthread_mutex_init(&r->lock, NULL);
	r->cache = resolve_cache_new(RESOLVE_ENTRIES_MAX, RESOLVE_FLIGHTS_MAX);
	if (!r->cache)
		goto free_resolver;
	rc = mailbox_init(&r->box);
	if (rc < 0)
		goto free_cache;
	rc = -ENOMEM;
	r->wake = mailbox_watch(&r->box, base);
	r->renewal = evtimer_new(base, on_renewal, r);
	r->pulse = evtimer_new(base, on_pulse, r);
	if (!r->wake || !r->renewal || !r->pulse)
		goto free_events;
	rc = renew_dns(r);
	if (rc < 0)
		goto free_events;
	return r;

free_events:
	free_events(r);
	mailbox_close(&r->box);
free_cache:
	resolve_cache_free(r->cache);
free_resolver:
	if (rc == -EINVAL)
		log_event(LOG_ERROR, "resolve.servers_invalid",
			  LOGF_STR("PORTUNUS_DNS_SERVERS", r->servers));
	pthread_mutex_destroy(&r->lock);
	free(r);
failed:
	log_event(LOG_ERROR, "resolve.start_failed", LOGF_INT("errno", -rc));
	return NULL;
}

void resolve_free(struct resolver *r)
{
	if (!r)
		return;
	r->closing = true;
	free_events(r);
	mailbox_close(&r->box);
	resolve_dns_free(r->dns);
	resolve_cache_free(r->cache);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void resolve_reload(struct resolver *r)
{
	uint64_t now = clock_mono_ns(), since_ms = (now - r->dns_since_ns) / NS_PER_MS;
	bool renew = conf_changed(r) || since_ms >= RENEW_MS;
	struct timeval in;

	/* A network that never rests must not keep questions from ever being answered. */
	if (renew) {
		renew_or_keep(r);
	} else if (!evtimer_pending(r->renewal, NULL)) {
		since_ms = RENEW_MS - since_ms;
		in.tv_sec = (time_t)(since_ms / 1000);
		in.tv_usec = (suseconds_t)(since_ms % 1000 * 1000);
		evtimer_add(r->renewal, &in);
	}
	if (!renew && (now - r->forgiven_ns) / NS_PER_MS < FORGIVE_MS)
		return;
	r->forgiven_ns = now;
	lock(r);
	resolve_cache_retry(r->cache);
	unlock(r);
}

/* Has the main thread start what is queued. Returns whether the caller has to post that. */
static bool ask_for_start(struct resolver *r)
{
	if (r->asked_for || !resolve_cache_has_queued(r->cache))
		return false;
	r->asked_for = true;
	return true;
}

int resolve_lookup(struct resolver *r, const char *host, uint16_t port, bool prefer_ipv6,
		   struct resolve_addrs *out, struct resolve_waiter *w)
{
	struct resolve_set set;
	bool post;
	int rc;

	if (addr_parse_zoned(host, port, &out->addr[0]) == 0) {
		out->n = 1;
		return 0;
	}
	lock(r);
	rc = resolve_cache_lookup(r->cache, host, clock_mono_ns(), w, &set);
	post = ask_for_start(r);
	unlock(r);
	if (post)
		mailbox_post(&r->box, &r->start_job);
	if (rc == 0)
		resolve_set_order(&set, port, prefer_ipv6, out);
	return rc;
}

bool resolve_again(struct resolver *r, const char *host, struct resolve_waiter *w)
{
	bool under_way, post;
	union addr literal;

	if (addr_parse_zoned(host, 0, &literal) == 0)
		return false;
	lock(r);
	under_way = resolve_cache_again(r->cache, host, clock_mono_ns(), w);
	post = ask_for_start(r);
	unlock(r);
	if (post)
		mailbox_post(&r->box, &r->start_job);
	return under_way;
}

struct resolve_waiter *resolve_next_ready(struct resolver *r, struct resolve_inbox *inbox)
{
	struct resolve_waiter *w;

	lock(r);
	w = LIST_FIRST(&inbox->ready);
	if (w) {
		LIST_REMOVE(w, link);
		w->waiting = false;
	} else {
		inbox->told = false;
	}
	unlock(r);
	return w;
}

void resolve_cancel(struct resolver *r, struct resolve_waiter *w)
{
	if (!w->waiting)
		return;
	lock(r);
	LIST_REMOVE(w, link);
	unlock(r);
	w->entry = NULL;
	w->waiting = false;
}

bool resolve_is_late(struct resolver *r, const struct resolve_waiter *w)
{
	bool late;

	lock(r);
	/* One that is in its inbox already has not been looked at by its own thread. */
	late = !w->entry || resolve_entry_queued(w->entry);
	unlock(r);
	return late || clock_mono_ns() - atomic_load(&r->alive_ns) > STALLED_MS * NS_PER_MS;
}
