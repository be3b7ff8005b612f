// SPDX-License-Identifier: MIT
/* A transaction as it is recorded: its steps, for whoever carries them out later. */
#include "server/store/tx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct tx_step *step_new(const char *types, va_list ap)
{
	size_t n = strlen(types), room = 0;
	struct tx_step *st;
	va_list again;
	char *to;

	va_copy(again, ap);
	for (size_t i = 0; i < n; i++) {
		const char *text = types[i] == 't' ? va_arg(again, const char *) : NULL;

		if (types[i] != 't')
			(void)va_arg(again, uint64_t);
		room += text ? strlen(text) + 1 : 0;
	}
	va_end(again);
	st = calloc(1, sizeof(*st) + n * sizeof(st->value[0]) + room);
	if (!st)
		return NULL;
	to = (char *)&st->value[n];
	for (size_t i = 0; i < n; i++) {
		const char *text = types[i] == 't' ? va_arg(ap, const char *) : NULL;

		if (types[i] != 't') {
			st->value[i].number = va_arg(ap, uint64_t);
		} else if (text) {
			st->value[i].text = strcpy(to, text);
			to += strlen(text) + 1;
		}
	}
	st->types = types;
	return st;
}

static struct tx_step *record(struct store_tx *tx, const char *sql, const char *types, va_list ap)
{
	struct tx_step *st = tx && !tx->err ? step_new(types, ap) : NULL;

	if (st) {
		st->sql = sql;
		STAILQ_INSERT_TAIL(&tx->steps, st, next);
	} else if (tx) {
		tx->err = tx->err ? tx->err : -ENOMEM;
	}
	return st;
}

static int run_sql(struct tx_place *p, struct store_tx *tx, const struct tx_step *st)
{
	int n = db_run_values(&p->db, st->sql, st->types, st->value);

	return n < 0 ? n : n ? 0 : st->otherwise;
}

void tx_sql(struct store_tx *tx, int otherwise, const char *sql, const char *types, ...)
{
	struct tx_step *st;
	va_list ap;

	va_start(ap, types);
	st = record(tx, sql, types, ap);
	va_end(ap);
	if (!st)
		return;
	st->run = run_sql;
	st->otherwise = otherwise;
}

static int run_query(struct tx_place *p, struct store_tx *tx, const struct tx_step *st)
{
	int err = 0, n;
	sqlite3_stmt *q = db_query_values(&p->db, &err, st->sql, st->types, st->value);

	if (!q)
		return err;
	n = db_step(&p->db, q);
	db_done(q);
	return n == 1 ? st->otherwise : n;
}

void tx_refuse_if(struct store_tx *tx, int otherwise, const char *sql, const char *types, ...)
{
	struct tx_step *st;
	va_list ap;

	va_start(ap, types);
	st = record(tx, sql, types, ap);
	va_end(ap);
	if (!st)
		return;
	st->run = run_query;
	st->otherwise = otherwise;
}

struct tx_step *tx_step(struct store_tx *tx,
			int (*run)(struct tx_place *p, struct store_tx *tx,
				   const struct tx_step *st),
			const char *sql, const char *types, ...)
{
	struct tx_step *st;
	va_list ap;

	va_start(ap, types);
	st = record(tx, sql, types, ap);
	va_end(ap);
	if (st)
		st->run = run;
	return st;
}

int tx_run(struct store_tx *tx, struct tx_place *p)
{
	const struct tx_step *st;
	int err = 0;

	STAILQ_FOREACH (st, &tx->steps, next) {
		err = st->run(p, tx, st);
		if (err)
			break;
	}
	return err;
}

void tx_free(struct store_tx *tx)
{
	struct tx_step *st;

	if (!tx)
		return;
	while ((st = STAILQ_FIRST(&tx->steps))) {
		STAILQ_REMOVE_HEAD(&tx->steps, next);
		free(st);
	}
	free(tx);
}
