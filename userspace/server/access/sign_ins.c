// SPDX-License-Identifier: MIT
/* Sign-ins: found by the hash of their secret, bounded in number and time. */
#include "server/access/sign_ins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/utf8.h"

#define TOUCH_EVERY_MS (10ull * 60 * 1000) /* the last use is stored this coarsely */

static void load_row(void *arg, const struct store_session *row)
{
	struct sign_ins *s = arg;
	struct sign_in *w;

	if (s->n == SIGN_INS_MAX)
		return;
	w = &s->of[s->n++];
	utf8_format(w->hash, sizeof(w->hash), "%s", row->hash);
	utf8_format(w->token_name, sizeof(w->token_name), "%s", row->token_name);
	w->created_ms = row->created_ms;
	w->used_ms = row->used_ms;
}

int sign_ins_load(struct sign_ins *s, struct store *store)
{
	s->store = store;
	s->of = calloc(SIGN_INS_MAX, sizeof(*s->of));
	return s->of ? store_sessions(store, load_row, s) : -ENOMEM;
}

void sign_ins_free(struct sign_ins *s)
{
	free(s->of);
	s->of = NULL;
}

static bool expired(const struct sign_in *w, uint64_t now)
{
	return now - w->created_ms > ACCESS_SESSION_MAX_SEC * 1000ull ||
	       now - w->used_ms > ACCESS_SESSION_IDLE_SEC * 1000ull + TOUCH_EVERY_MS;
}

static struct sign_in *find(struct sign_ins *s, const char *hash)
{
	for (size_t i = 0; i < s->n; i++)
		if (secret_equal(s->of[i].hash, hash))
			return &s->of[i];
	return NULL;
}

static void forget(struct sign_ins *s, struct sign_in *w)
{
	struct sign_in gone = *w;

	*w = s->of[--s->n];
	if (s->ended)
		s->ended(s->ended_arg, gone.token_name, gone.hash);
}

/* Nobody waits for the note, and the next use makes up for one that is lost. */
static void touch(struct sign_ins *s, struct sign_in *w, uint64_t now)
{
	struct store_tx *tx;

	if (now - w->used_ms <= TOUCH_EVERY_MS)
		return;
	w->used_ms = now;
	tx = store_begin(s->store);
	store_session_used(tx, w->hash, now);
	store_commit(tx, NULL, NULL);
}

struct sign_in *sign_ins_find(struct sign_ins *s, const char *hash)
{
	uint64_t now = clock_wall_ms();
	struct sign_in *w = find(s, hash);

	if (!w || expired(w, now))
		return NULL; /* the next sweep ends it */
	touch(s, w, now);
	return w;
}

/* The one unused for longest, of a token if @token_name is not NULL. */
static struct sign_in *oldest(struct sign_ins *s, const char *token_name, size_t *n)
{
	struct sign_in *found = NULL;

	*n = 0;
	for (size_t i = 0; i < s->n; i++) {
		struct sign_in *w = &s->of[i];

		if (token_name && strcmp(w->token_name, token_name))
			continue;
		++*n;
		if (!found || w->used_ms < found->used_ms)
			found = w;
	}
	return found;
}

/* A change that is with the store. */
struct change {
	struct sign_ins *s;
	struct sign_in added; /* hash "": none */
	char ended[SECRET_HASH_SIZE];
	store_done done;
	void *arg;
};

static void on_changed(void *arg, int err)
{
	struct change *c = arg;
	struct sign_in *old = *c->ended ? find(c->s, c->ended) : NULL;
	size_t n;

	if (!err && old)
		forget(c->s, old);
	/* Many at a time: each had found room. */
	if (!err && *c->added.hash && c->s->n == SIGN_INS_MAX)
		forget(c->s, oldest(c->s, NULL, &n));
	if (!err && *c->added.hash)
		c->s->of[c->s->n++] = c->added;
	c->done(c->arg, err);
	free(c);
}

static int change(struct sign_ins *s, const struct sign_in *old, const struct sign_in *new,
		  store_done done, void *arg)
{
	struct change *c = calloc(1, sizeof(*c));
	struct store_tx *tx;
	int err;

	if (!c)
		return -ENOMEM;
	c->s = s;
	c->done = done;
	c->arg = arg;
	tx = store_begin(s->store);
	if (old) {
		strcpy(c->ended, old->hash);
		store_session_delete(tx, old->hash);
	}
	if (new) {
		c->added = *new;
		store_session_put(tx, &(struct store_session){.hash = new->hash,
							      .token_name = new->token_name,
							      .created_ms = new->created_ms,
							      .used_ms = new->used_ms});
	}
	err = store_commit(tx, on_changed, c);
	if (err)
		free(c);
	return err;
}

int sign_ins_add(struct sign_ins *s, const struct sign_in *w, store_done done, void *arg)
{
	struct sign_in *old;
	size_t n;

	sign_ins_sweep(s);
	old = oldest(s, w->token_name, &n);
	if (n < SIGN_INS_OF_TOKEN_MAX)
		old = s->n == SIGN_INS_MAX ? oldest(s, NULL, &n) : NULL;
	return change(s, old, w, done, arg);
}

int sign_ins_end(struct sign_ins *s, const struct sign_in *w, store_done done, void *arg)
{
	return change(s, w, NULL, done, arg);
}

void sign_ins_end_of(struct sign_ins *s, const char *token_name)
{
	for (size_t i = s->n; i-- > 0;)
		if (!strcmp(s->of[i].token_name, token_name))
			forget(s, &s->of[i]);
}

void sign_ins_sweep(struct sign_ins *s)
{
	uint64_t now = clock_wall_ms();
	struct store_tx *tx = NULL;

	for (size_t i = s->n; i-- > 0;) {
		if (!expired(&s->of[i], now))
			continue;
		/* A row that stays is found, expired, by the next start. */
		tx = tx ? tx : store_begin(s->store);
		store_session_delete(tx, s->of[i].hash);
		forget(s, &s->of[i]);
	}
	if (tx)
		store_commit(tx, NULL, NULL);
}
