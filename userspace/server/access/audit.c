// SPDX-License-Identifier: MIT
/* The audit trail's queue and its writer. */
#include "server/access/audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "server/access/audit_row.h"
#include "server/access/refusals.h"

#define QUEUE_MAX  16384 /* only a store that takes nothing for long lets it come to that */
#define BATCH_ROWS 256
#define SOON_MS	   100
#define RECOUNT_MS 5000 /* how often the number of times of a refusal is brought up to date */
#define RETRY_MS   1000
#define PRUNE_MS   (3600ull * 1000)

/* Rows that are with the store. */
struct batch {
	TAILQ_ENTRY(batch) entry;
	struct audit *audit;
	STAILQ_HEAD(, audit_row) rows;
	unsigned n;
	bool refusals; /* those that were new are with it */
};

/* The row of a change that is with the store. */
struct beside {
	LIST_ENTRY(beside) entry;
	struct audit_request request;
	uint64_t seq;
};

struct audit {
	struct store *store;
	struct event *timer;
	STAILQ_HEAD(, audit_row) queue;
	unsigned n, n_out; /* of rows in the queue, and with the store */
	TAILQ_HEAD(, batch) batches;
	LIST_HEAD(, beside) besides;
	uint64_t drops, pruned_ms;
	bool delayed;	   /* the last attempt to write failed, and that has been said */
	bool refusals_out; /* a batch has them */
	struct refusals *refusals;
	struct audit_request request; /* fill NULL: none */
};

static void wake_in(struct audit *a, unsigned ms)
{
	const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(a->timer, &wait);
}

/* ---- the queue ---- */

static void drop_rows(struct batch *b)
{
	struct audit_row *q;

	while ((q = STAILQ_FIRST(&b->rows))) {
		STAILQ_REMOVE_HEAD(&b->rows, next);
		free(q);
	}
}

static void delay(struct audit *a, int err)
{
	if (!a->delayed)
		log_event(LOG_ERROR, "audit.write_delayed",
			  LOGF_STR("error", store_message(a->store)),
			  LOGF_STR("advice", store_advice(err)), LOGF_UINT("waiting", a->n));
	a->delayed = true;
	wake_in(a, RETRY_MS);
}

/* The rows are the first of the queue again. */
static void take_back(struct audit *a, struct batch *b)
{
	STAILQ_CONCAT(&b->rows, &a->queue);
	STAILQ_CONCAT(&a->queue, &b->rows);
	a->n += b->n;
}

static void on_written(void *arg, int err)
{
	struct batch *b = arg;
	struct audit *a = b->audit;

	TAILQ_REMOVE(&a->batches, b, entry);
	a->n_out -= b->n;
	if (b->refusals) {
		a->refusals_out = false;
		refusals_written(a->refusals, !err);
	}
	if (err) {
		take_back(a, b);
		delay(a, err);
	} else {
		a->delayed = false;
		drop_rows(b);
	}
	free(b);
}

static struct store_tx *record_batch(struct audit *a, const struct batch *b)
{
	struct store_tx *tx = store_begin(a->store);
	const struct audit_row *q;

	STAILQ_FOREACH (q, &b->rows, next) {
		if (q->row.seq)
			store_audit_complete(tx, &q->row);
		else
			store_audit_add(tx, &q->row, NULL);
	}
	if (b->refusals)
		refusals_write(a->refusals, tx);
	return tx;
}

static void flush(struct audit *a)
{
	bool refusals = !a->refusals_out && refusals_pending(a->refusals);
	struct batch *b;
	int err;

	if (!a->n && !refusals)
		return;
	b = calloc(1, sizeof(*b));
	if (!b) {
		delay(a, -ENOMEM);
		return;
	}
	b->audit = a;
	STAILQ_INIT(&b->rows);
	STAILQ_CONCAT(&b->rows, &a->queue);
	b->n = a->n;
	a->n = 0;
	a->n_out += b->n;
	b->refusals = a->refusals_out = refusals;
	TAILQ_INSERT_TAIL(&a->batches, b, entry);
	err = store_commit(record_batch(a, b), on_written, b);
	if (err)
		on_written(b, err);
}

static void on_pruned(void *arg, int err)
{
	struct audit *a = arg;

	if (err)
		a->pruned_ms = 0;
}

static void prune(struct audit *a)
{
	uint64_t now = clock_wall_ms();
	struct store_tx *tx;

	if (now - a->pruned_ms <= PRUNE_MS)
		return;
	a->pruned_ms = now;
	tx = store_begin(a->store);
	store_audit_prune(tx, now);
	store_commit(tx, on_pruned, a);
}

bool audit_flush(struct audit *a, store_done done, void *arg)
{
	flush(a);
	return !TAILQ_EMPTY(&a->batches) && !store_commit(store_begin(a->store), done, arg);
}

static void flush_due(evutil_socket_t fd, short what, void *arg)
{
	struct audit *a = arg;

	flush(a);
	if (!a->delayed)
		prune(a);
}

static void enqueue(struct audit *a, const struct store_audit *row)
{
	struct audit_row *q = a->n + a->n_out < QUEUE_MAX ? audit_row_copy(row) : NULL;

	if (!q) {
		a->drops++;
		return;
	}
	q->row.at_ms = clock_wall_ms();
	STAILQ_INSERT_TAIL(&a->queue, q, next);
	a->n++;
	if (a->n == 1 && !a->delayed)
		wake_in(a, SOON_MS);
	else if (a->n == BATCH_ROWS && !a->delayed)
		event_active(a->timer, EV_TIMEOUT, 0);
}

void audit_add(struct audit *a, const struct store_audit *row)
{
	if (strcmp(row->outcome, "deny") || strcmp(row->actor, AUDIT_ANONYMOUS)) {
		enqueue(a, row);
		return;
	}
	if (refusals_note(a->refusals, row, clock_wall_ms()) && !a->delayed)
		wake_in(a, SOON_MS);
	else if (!event_pending(a->timer, EV_TIMEOUT, NULL))
		wake_in(a, RECOUNT_MS);
}

void audit_complete(struct audit *a, const struct store_audit *row)
{
	enqueue(a, row);
}

/* ---- the row of a change ---- */

static void on_stored(void *arg, int err)
{
	struct beside *b = arg;

	LIST_REMOVE(b, entry);
	if (!err && b->request.written)
		b->request.written(b->request.arg, b->seq);
	free(b);
}

/* A store_companion. */
static int write_beside(void *arg, struct store_tx *tx)
{
	struct audit *a = arg;
	struct store_audit row = {.actor = ""};
	struct beside *b = calloc(1, sizeof(*b));
	struct audit_row *copy;

	if (!b)
		return -ENOMEM;
	b->request = a->request;
	audit_leave(a, a->request.arg);
	/* What was queued before comes before it in the trail. */
	flush(a);
	b->request.fill(b->request.arg, &row);
	copy = audit_row_copy(&row);
	if (!copy) {
		free(b);
		return -ENOMEM;
	}
	copy->row.at_ms = clock_wall_ms();
	store_audit_add(tx, &copy->row, &b->seq);
	free(copy);
	LIST_INSERT_HEAD(&a->besides, b, entry);
	store_beside(tx, on_stored, b);
	return 0;
}

void audit_attend(struct audit *a, const struct audit_request *r)
{
	a->request = *r;
	store_set_companion(a->store, &(struct store_companion){.write = write_beside, .arg = a});
}

void audit_leave(struct audit *a, const void *arg)
{
	if (!a->request.fill || a->request.arg != arg)
		return;
	a->request.fill = NULL;
	store_set_companion(a->store, NULL);
}

void audit_forget(struct audit *a, const void *arg)
{
	struct beside *b;

	audit_leave(a, arg);
	LIST_FOREACH (b, &a->besides, entry) {
		if (b->request.arg == arg)
			b->request.written = NULL;
	}
}

/* ---- life ---- */

struct audit *audit_new(struct event_base *base, struct store *store)
{
	struct audit *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->store = store;
	STAILQ_INIT(&a->queue);
	TAILQ_INIT(&a->batches);
	a->timer = evtimer_new(base, flush_due, a);
	a->refusals = refusals_new();
	if (!a->timer || !a->refusals) {
		audit_free(a);
		return NULL;
	}
	return a;
}

void audit_free(struct audit *a)
{
	struct audit_row *q;

	if (!a)
		return;
	if (a->refusals && a->timer) {
		flush(a);
		store_settle(a->store);
	}
	if (a->n)
		log_event(LOG_ERROR, "audit.lost", LOGF_UINT("rows", a->n));
	while ((q = STAILQ_FIRST(&a->queue))) {
		STAILQ_REMOVE_HEAD(&a->queue, next);
		free(q);
	}
	refusals_free(a->refusals);
	if (a->timer)
		event_free(a->timer);
	free(a);
}

uint64_t audit_drops(const struct audit *a)
{
	return a->drops;
}

double audit_lag(const struct audit *a)
{
	const struct batch *b = TAILQ_FIRST(&a->batches);
	const struct audit_row *q = b ? STAILQ_FIRST(&b->rows) : NULL;

	q = q ? q : STAILQ_FIRST(&a->queue);
	return q ? (double)(clock_wall_ms() - q->row.at_ms) / 1000 : 0;
}
