/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SELFTESTS_UNIT_SERVER_STORE_STORED_H
#define PORTUNUS_SELFTESTS_UNIT_SERVER_STORE_STORED_H

/* Changes of the store that a test waits for. */
#include <stdbool.h>

#include "server/store/store.h"

/* What became of a transaction, @tx, in which @record records something. */
#define STORED(s, record)                             \
	({                                            \
		struct store_tx *tx = store_begin(s); \
		record;                               \
		store_commit_wait(tx);                \
	})

/* What became of a change whose function was given on_outcome and the outcome. */
struct outcome {
	bool told;
	int err;
};

static inline void on_outcome(void *arg, int err)
{
	*(struct outcome *)arg = (struct outcome){.told = true, .err = err};
}

static inline int settled(struct store *s, int err, const struct outcome *o)
{
	if (err)
		return err;
	store_settle(s);
	assert_true(o->told);
	return o->err;
}

/* The errno of @call, at once or as it was told to &o. */
#define SETTLED(s, call)                            \
	({                                          \
		struct outcome o = {.told = false}; \
		int err = call;                     \
		settled(s, err, &o);                \
	})

#endif
