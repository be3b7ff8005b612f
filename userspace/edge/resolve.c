// SPDX-License-Identifier: MIT
/* Names for the workers: a locked cache in any thread, the queries for it in the main thread. */
#include "edge/resolve.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "edge/mailbox.h"
#include "edge/resolve_cache.h"
#include "edge/resolve_dns.h"
#include "lib/clock.h"
#include "lib/log.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define LIMIT_MS    3000 /* of one lookup, as seen by who waits for it */
#define DNS_MS	    2900 /* what c-ares gets of that, so that its own verdict comes first */

struct resolver {
	/* Any thread. */
	pthread_mutex_t lock;	     /* of the cache */
	struct resolve_cache *cache; /* guarded by lock */
	struct mailbox box;

	/* Main thread. */
	struct event_base *base;
	void (*ready)(void *arg);
	void *arg;
	const char *servers; /* PORTUNUS_DNS_SERVERS, or NULL: RESOLV_CONF */
	struct event *wake;  /* the mailbox has something */
	struct resolve_dns *dns;
	struct stat conf; /* RESOLV_CONF as it was when dns was made */
	uint64_t dns_since_ns;
	bool closing;
};

/* One query under way. Made where the name is missed, then owned by the main thread. */
struct flight {
	struct job job;
	struct resolver *r;
	struct resolve_entry *entry;
	struct event limit;
	bool limited; /* whether the event above is in use */
};

static void on_answer(void *arg, int err, const struct resolve_set *set, uint32_t ttl,
		      const char *why);

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
	resolve_dns_free(old);
	return 0;
}

static void renew_or_keep(struct resolver *r)
{
	int rc = renew_dns(r);

	if (rc < 0)
		log_event(LOG_WARN, "resolve.reload_failed", LOGF_INT("errno", -rc));
}

static void end_flight(struct flight *f)
{
	if (f->limited)
		event_del(&f->limit);
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

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct flight *f = arg;
	struct resolver *r = f->r;
	bool awaited;
	int before;

	pthread_mutex_lock(&r->lock);
	before = resolve_entry_error(f->entry);
	awaited = resolve_cache_late(r->cache, f->entry, clock_mono_ns());
	pthread_mutex_unlock(&r->lock);
	/* Only we end this flight, so the entry stays. */
	log_outcome(resolve_entry_name(f->entry), before, ETIMEDOUT, "no answer in time");
	if (awaited)
		r->ready(r->arg);
}

static void on_answer(void *arg, int err, const struct resolve_set *set, uint32_t ttl,
		      const char *why)
{
	struct flight *f = arg;
	struct resolver *r = f->r;
	const char *name = resolve_entry_name(f->entry);
	bool awaited;

	if (err == ECANCELED) {
		if (r->closing)
			end_flight(f);
		else
			resolve_dns_query(r->dns, name, on_answer, f);
		return;
	}
	log_outcome(name, resolve_entry_error(f->entry), err, why);

	pthread_mutex_lock(&r->lock);
	if (err)
		awaited = resolve_cache_fail(r->cache, f->entry, clock_mono_ns(), err);
	else
		awaited = resolve_cache_answer(r->cache, f->entry, clock_mono_ns(), ttl, set);
	pthread_mutex_unlock(&r->lock);

	end_flight(f);
	if (awaited)
		r->ready(r->arg);
}

/* The main thread's half of resolve_lookup(). */
static void take_off(struct job *job)
{
	const struct timeval limit = {LIMIT_MS / 1000, (LIMIT_MS % 1000) * 1000};
	struct flight *f = (struct flight *)job;
	struct resolver *r = f->r;

	if (r->closing) {
		end_flight(f);
		return;
	}
	if (conf_changed(r))
		renew_or_keep(r);
	evtimer_assign(&f->limit, r->base, on_limit, f);
	f->limited = evtimer_add(&f->limit, &limit) == 0;
	resolve_dns_query(r->dns, resolve_entry_name(f->entry), on_answer, f);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;

	mailbox_run(&r->box);
}

struct resolver *resolve_new(struct event_base *base, void (*ready)(void *arg), void *arg)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (!r)
		goto failed;
	r->base = base;
	r->ready = ready;
	r->arg = arg;
	r->servers = getenv("PORTUNUS_DNS_SERVERS");
	pthread_mutex_init(&r->lock, NULL);
	r->cache = resolve_cache_new(RESOLVE_ENTRIES_MAX, RESOLVE_FLIGHTS_MAX);
	if (!r->cache)
		goto free_resolver;
	rc = mailbox_init(&r->box);
	if (rc < 0)
		goto free_cache;
	rc = -ENOMEM;
	r->wake = event_new(base, r->box.fd, EV_READ | EV_PERSIST, on_wake, r);
	if (!r->wake || event_add(r->wake, NULL) < 0)
		goto free_wake;
	rc = renew_dns(r);
	if (rc < 0)
		goto free_wake;
	return r;

free_wake:
	if (r->wake)
		event_free(r->wake);
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
	event_free(r->wake);
	mailbox_close(&r->box);
	resolve_dns_free(r->dns);
	resolve_cache_free(r->cache);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void resolve_reload(struct resolver *r)
{
	/* A network that never rests must not keep queries from ever being answered. */
	if (conf_changed(r) || clock_mono_ns() - r->dns_since_ns >= NS_PER_SEC)
		renew_or_keep(r);
	pthread_mutex_lock(&r->lock);
	resolve_cache_retry(r->cache);
	pthread_mutex_unlock(&r->lock);
}

int resolve_lookup(struct resolver *r, const char *host, uint16_t port, bool prefer_ipv6,
		   struct resolve_addrs *out)
{
	struct resolve_entry *start;
	struct resolve_set set;
	struct flight *f = NULL;
	int rc;

	if (addr_parse_literal(host, port, &out->addr[0]) == 0) {
		out->n = 1;
		return 0;
	}
	pthread_mutex_lock(&r->lock);
	rc = resolve_cache_lookup(r->cache, host, clock_mono_ns(), &set, &start);
	if (start) {
		f = calloc(1, sizeof(*f));
		if (!f) {
			resolve_cache_abort(r->cache, start);
			rc = rc == -EAGAIN ? -ENOBUFS : rc;
		}
	}
	pthread_mutex_unlock(&r->lock);
	if (f) {
		f->job.run = take_off;
		f->r = r;
		f->entry = start;
		mailbox_post(&r->box, &f->job);
	}
	if (rc == 0)
		resolve_set_order(&set, port, prefer_ipv6, out);
	return rc;
}
