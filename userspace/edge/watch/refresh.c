// SPDX-License-Identifier: MIT
/* Refreshes of the kernel's records, off the main thread: a refresh may have to wait 250 ms. */
#include "edge/watch/refresh.h"

#include <errno.h>
#include <stdlib.h>

#include "edge/account/account.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"

struct refresher {
	struct account *account;
	struct offload *thread;
};

/* On the thread. A request that was made before the last refresh began is answered by that one. */
static void work(struct offload_job *job)
{
	struct refresh *r = container_of(job, struct refresh, job);

	r->result = account_refresh(r->account, r->not_before_ns);
}

static void done(struct offload_job *job)
{
	struct refresh *r = container_of(job, struct refresh, job);

	r->done(r);
}

struct refresher *refresher_new(struct event_base *base, struct account *a)
{
	struct refresher *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->account = a;
	r->thread = offload_new(base, "refresh");
	if (r->thread)
		return r;
	free(r);
	return NULL;
}

void refresher_ask(struct refresher *owner, struct refresh *r)
{
	r->account = owner->account;
	r->not_before_ns = clock_mono_ns();
	r->job.work = work;
	r->job.done = done;
	offload_post(owner->thread, &r->job);
}

void refresher_settle(struct refresher *r)
{
	offload_settle(r->thread);
}

void refresher_free(struct refresher *r)
{
	if (!r)
		return;
	offload_free(r->thread, 0);
	free(r);
}
