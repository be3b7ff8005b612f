// SPDX-License-Identifier: MIT
/* The history's queue and its writer. */
#include "server/fleet/history.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "server/store/texts.h"

#define QUEUE_MAX 8192
#define SOON_MS	  500
#define RETRY_MS  2000
#define PRUNE_MS  (3600ull * 1000)

struct queued {
	STAILQ_ENTRY(queued) next;
	struct store_event row; /* its texts lie behind it */
	char text[];
};

struct history {
	struct store *store;
	struct event *timer;
	/* Those that wait, and those that are with the store, which come first. */
	STAILQ_HEAD(, queued) queue, out;
	unsigned n; /* of both */
	uint64_t pruned_ms, lost;
};

static const size_t texts[] = {
	offsetof(struct store_event, kind),   offsetof(struct store_event, client_id),
	offsetof(struct store_event, client), offsetof(struct store_event, owner),
	offsetof(struct store_event, target), offsetof(struct store_event, detail),
};
#define N_TEXTS (sizeof(texts) / sizeof(texts[0]))

static struct queued *copy_of(const struct store_event *e)
{
	struct queued *q = malloc(sizeof(*q) + texts_size(e, texts, N_TEXTS));

	if (!q)
		return NULL;
	q->row = *e;
	texts_keep(&q->row, texts, N_TEXTS, q->text);
	return q;
}

static void wake_in(struct history *h, unsigned ms)
{
	const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(h->timer, &wait);
}

static void on_pruned(void *arg, int err)
{
	struct history *h = arg;

	if (err)
		h->pruned_ms = 0;
}

static void prune(struct history *h)
{
	uint64_t now = clock_wall_ms();
	struct store_tx *tx;

	if (now - h->pruned_ms <= PRUNE_MS)
		return;
	h->pruned_ms = now;
	tx = store_begin(h->store);
	store_events_prune(tx, now);
	store_commit(tx, on_pruned, h);
}

static void on_written(void *arg, int err)
{
	struct history *h = arg;
	struct queued *q;

	if (err) {
		STAILQ_CONCAT(&h->out, &h->queue);
		STAILQ_CONCAT(&h->queue, &h->out);
		wake_in(h, RETRY_MS);
		return;
	}
	while ((q = STAILQ_FIRST(&h->out))) {
		STAILQ_REMOVE_HEAD(&h->out, next);
		free(q);
		h->n--;
	}
	if (!STAILQ_EMPTY(&h->queue))
		wake_in(h, SOON_MS);
}

static void flush(struct history *h)
{
	struct store_tx *tx;
	struct queued *q;
	int err;

	if (STAILQ_EMPTY(&h->queue) || !STAILQ_EMPTY(&h->out))
		return;
	STAILQ_CONCAT(&h->out, &h->queue);
	tx = store_begin(h->store);
	STAILQ_FOREACH (q, &h->out, next)
		store_event_add(tx, &q->row);
	err = store_commit(tx, on_written, h);
	if (err)
		on_written(h, err);
}

bool history_flush(struct history *h, store_done done, void *arg)
{
	flush(h);
	return !STAILQ_EMPTY(&h->out) && !store_commit(store_begin(h->store), done, arg);
}

/* Prunes here alone: who only reads the history changes nothing. */
static void flush_due(evutil_socket_t fd, short what, void *arg)
{
	struct history *h = arg;

	flush(h);
	prune(h);
}

void history_add(struct history *h, const struct store_event *e)
{
	struct queued *q = h->n < QUEUE_MAX ? copy_of(e) : NULL;

	if (!q) {
		/* Said once in a while: the store takes nothing. */
		if (h->lost++ % QUEUE_MAX == 0)
			log_event(LOG_ERROR, "history.lost", LOGF_UINT("rows", h->lost));
		return;
	}
	if (!q->row.at_ms)
		q->row.at_ms = clock_wall_ms();
	STAILQ_INSERT_TAIL(&h->queue, q, next);
	h->n++;
	if (!event_pending(h->timer, EV_TIMEOUT, NULL))
		wake_in(h, SOON_MS);
}

struct history *history_new(struct event_base *base, struct store *store)
{
	struct history *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->store = store;
	STAILQ_INIT(&h->queue);
	STAILQ_INIT(&h->out);
	h->timer = evtimer_new(base, flush_due, h);
	if (h->timer)
		return h;
	free(h);
	return NULL;
}

void history_free(struct history *h)
{
	struct queued *q;

	if (!h)
		return;
	/* Twice: what came while the first was with the store. */
	for (int i = 0; i < 2; i++) {
		flush(h);
		store_settle(h->store);
	}
	if (h->n)
		log_event(LOG_ERROR, "history.lost", LOGF_UINT("rows", h->n));
	while ((q = STAILQ_FIRST(&h->queue))) {
		STAILQ_REMOVE_HEAD(&h->queue, next);
		free(q);
	}
	event_free(h->timer);
	free(h);
}
