// SPDX-License-Identifier: MIT
/* The audit trail's queue and its writer. */
#include "server/audit.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "lib/clock.h"
#include "lib/log.h"

#define QUEUE_MAX  1024
#define BATCH_ROWS 256
#define PRUNE_MS   (3600ull * 1000)

struct queued {
	STAILQ_ENTRY(queued) next;
	struct store_audit row; /* its texts lie behind it */
	char text[];
};

struct audit {
	struct store *store;
	struct event *timer;
	STAILQ_HEAD(, queued) queue;
	unsigned n;
	uint64_t drops, pruned_ms;
};

/* The texts of a row, to copy them all alike. */
static const size_t texts[] = {
	offsetof(struct store_audit, actor),	     offsetof(struct store_audit, method),
	offsetof(struct store_audit, path),	     offsetof(struct store_audit, outcome),
	offsetof(struct store_audit, role),	     offsetof(struct store_audit, scope),
	offsetof(struct store_audit, reason),	     offsetof(struct store_audit, action),
	offsetof(struct store_audit, resource_kind), offsetof(struct store_audit, resource_value),
	offsetof(struct store_audit, details),
};
#define N_TEXTS (sizeof(texts) / sizeof(texts[0]))

static const char **text_of(struct store_audit *row, size_t i)
{
	return (const char **)((char *)row + texts[i]);
}

static struct queued *copy_row(const struct store_audit *row)
{
	struct store_audit from = *row;
	struct queued *q;
	size_t size = 0;
	char *at;

	for (size_t i = 0; i < N_TEXTS; i++)
		size += *text_of(&from, i) ? strlen(*text_of(&from, i)) + 1 : 0;
	q = malloc(sizeof(*q) + size);
	if (!q)
		return NULL;
	q->row = from;
	at = q->text;
	for (size_t i = 0; i < N_TEXTS; i++) {
		const char **t = text_of(&q->row, i);
		size_t n = *t ? strlen(*t) + 1 : 0;

		if (!n)
			continue;
		memcpy(at, *t, n);
		*t = at;
		at += n;
	}
	return q;
}

static int write_all(struct audit *a)
{
	struct queued *q;
	int err = store_begin(a->store);

	if (err)
		return err;
	STAILQ_FOREACH(q, &a->queue, next)
	{
		err = store_audit_add(a->store, &q->row);
		if (err) {
			store_rollback(a->store);
			return err;
		}
	}
	return store_commit(a->store);
}

static void drop_queue(struct audit *a)
{
	struct queued *q;

	while ((q = STAILQ_FIRST(&a->queue))) {
		STAILQ_REMOVE_HEAD(&a->queue, next);
		free(q);
	}
	a->n = 0;
}

void audit_flush(struct audit *a)
{
	uint64_t now = clock_wall_ms();
	int err;

	if (a->n) {
		err = write_all(a);
		if (err) {
			log_event(LOG_ERROR, "audit.write_failed",
				  LOGF_STR("error", store_message(a->store)),
				  LOGF_STR("advice", store_advice(err)), LOGF_UINT("lost", a->n));
			a->drops += a->n;
		}
		drop_queue(a);
	}
	if (now - a->pruned_ms > PRUNE_MS) {
		store_audit_prune(a->store, now);
		a->pruned_ms = now;
	}
}

static void flush_due(evutil_socket_t fd, short what, void *arg)
{
	audit_flush(arg);
}

struct audit *audit_new(struct event_base *base, struct store *store)
{
	struct audit *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->store = store;
	STAILQ_INIT(&a->queue);
	a->timer = evtimer_new(base, flush_due, a);
	if (!a->timer) {
		free(a);
		return NULL;
	}
	return a;
}

void audit_free(struct audit *a)
{
	if (!a)
		return;
	audit_flush(a);
	event_free(a->timer);
	free(a);
}

void audit_add(struct audit *a, const struct store_audit *row)
{
	const struct timeval soon = {.tv_usec = 100000};
	struct queued *q = a->n < QUEUE_MAX ? copy_row(row) : NULL;

	if (!q) {
		a->drops++;
		return;
	}
	q->row.at_ms = clock_wall_ms();
	STAILQ_INSERT_TAIL(&a->queue, q, next);
	a->n++;
	if (a->n == 1)
		event_add(a->timer, &soon);
	else if (a->n == BATCH_ROWS)
		event_active(a->timer, EV_TIMEOUT, 0);
}

uint64_t audit_drops(const struct audit *a)
{
	return a->drops;
}

double audit_lag(const struct audit *a)
{
	const struct queued *q = STAILQ_FIRST(&a->queue);

	return q ? (double)(clock_wall_ms() - q->row.at_ms) / 1000 : 0;
}
