// SPDX-License-Identifier: MIT
/* Refreshes of the records of open connections: single-flight, at a bounded rate. */
#include "edge/account/refresh.h"

#include "edge/account/collect.h"
#include "edge/account/iterate.h"

#define REFRESH_INTERVAL_NS (250 * NS_PER_MS)

void account_refreshes_init(struct account_refreshes *r, struct account_collector *c)
{
	pthread_condattr_t attr;

	*r = (struct account_refreshes){.collector = c, .link_fd = -1};
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->done, &attr);
	pthread_condattr_destroy(&attr);
}

void account_refreshes_free(struct account_refreshes *r)
{
	pthread_cond_destroy(&r->done);
	pthread_mutex_destroy(&r->lock);
}

/* Waits for the end of another's refresh or for the next one to be due. Under the lock. */
static void wait_for_turn(struct account_refreshes *r)
{
	struct timespec t = {.tv_sec = (time_t)(r->due_ns / NS_PER_SEC),
			     .tv_nsec = (long)(r->due_ns % NS_PER_SEC)};

	if (r->running)
		pthread_cond_wait(&r->done, &r->lock);
	else
		pthread_cond_timedwait(&r->done, &r->lock, &t);
}

/* Under the lock, which is not held while the iterator runs. */
static void run(struct account_refreshes *r, uint64_t now)
{
	int rc;

	r->running = true;
	/* After a pause one may follow another at once: an operator's question just after the
	 * periodic report would otherwise wait. */
	if (r->due_ns + REFRESH_INTERVAL_NS < now)
		r->due_ns = now - REFRESH_INTERVAL_NS;
	r->due_ns += REFRESH_INTERVAL_NS;
	pthread_mutex_unlock(&r->lock);
	if (r->before)
		r->before(r->before_arg);
	rc = account_iterate(r->link_fd, NULL, NULL);
	pthread_mutex_lock(&r->lock);
	r->running = false;
	r->error = rc;
	r->done_ns = now;
	pthread_cond_broadcast(&r->done);
}

int account_refreshes_run(struct account_refreshes *r, uint64_t not_before_ns)
{
	bool ran = r->link_fd < 0;
	int rc = 0;

	if (ran && r->before)
		r->before(r->before_arg);
	pthread_mutex_lock(&r->lock);
	/* At most one of its own: a request from the future would otherwise wait for its time. */
	while (!ran && (!r->done_ns || r->done_ns < not_before_ns)) {
		uint64_t now = clock_mono_ns();

		if (r->running || now < r->due_ns) {
			wait_for_turn(r);
			continue;
		}
		run(r, now);
		ran = true;
	}
	rc = r->error;
	pthread_mutex_unlock(&r->lock);
	if (ran)
		account_collect(r->collector);
	return rc;
}
