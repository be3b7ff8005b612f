// SPDX-License-Identifier: MIT
/* Transactions from their beginning to their end, as the callers of the store see them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/inner.h"

struct store_tx *store_begin(struct store *s)
{
	struct store_tx *tx = calloc(1, sizeof(*tx));

	if (!tx)
		return NULL;
	tx->store = s;
	STAILQ_INIT(&tx->steps);
	return tx;
}

void store_drop(struct store_tx *tx)
{
	tx_free(tx);
}

static int run_work(struct tx_place *p, struct store_tx *tx, const struct tx_step *st)
{
	return st->work(st->arg);
}

void store_work(struct store_tx *tx, int (*work)(void *arg), void *arg)
{
	struct tx_step *st = tx_step(tx, run_work, "", "");

	if (!st)
		return;
	st->work = work;
	st->arg = arg;
}

void store_beside(struct store_tx *tx, store_done done, void *arg)
{
	tx->beside = done;
	tx->beside_arg = arg;
}

int store_commit(struct store_tx *tx, store_done done, void *arg)
{
	struct store_companion c;
	int err;

	if (!tx)
		return -ENOMEM;
	c = tx->store->companion;
	err = c.write ? c.write(c.arg, tx) : 0;
	err = err ? err : tx->err;
	if (err) {
		if (tx->beside)
			tx->beside(tx->beside_arg, err);
		tx_free(tx);
		return err;
	}
	tx->done = done;
	tx->arg = arg;
	writer_put(&tx->store->writer, tx);
	return 0;
}

struct waited {
	bool told;
	int err;
};

static void told(void *arg, int err)
{
	*(struct waited *)arg = (struct waited){.told = true, .err = err};
}

int store_commit_wait(struct store_tx *tx)
{
	struct waited w = {.told = false};
	struct store *s = tx ? tx->store : NULL;
	int err = store_commit(tx, told, &w);

	if (err)
		return err;
	store_settle(s);
	return w.told ? w.err : -EIO;
}

void store_settle(struct store *s)
{
	writer_settle(&s->writer);
}

int store_serve(struct store *s, struct event_base *base)
{
	return writer_start(&s->writer, base);
}

void store_set_companion(struct store *s, const struct store_companion *c)
{
	s->companion = c ? *c : (struct store_companion){.write = NULL};
}

const char *store_message(const struct store *s)
{
	return s->message[0] ? s->message : s->read.message;
}
