// SPDX-License-Identifier: MIT
/* Failures of signing in, counted by key. */
#include "api/call/throttle.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/utf8.h"

#define KEYS_MAX 512
#define WINDOW	 (15 * 60 * NS_PER_SEC)
#define FIRST	 (60 * NS_PER_SEC)
#define MOST	 (15 * 60 * NS_PER_SEC)

struct row {
	char key[THROTTLE_KEY_SIZE]; /* "": free */
	unsigned n;
	uint64_t last_ns, locked_until_ns;
};

struct throttle {
	struct row rows[KEYS_MAX];
};

struct throttle *throttle_new(void)
{
	return calloc(1, sizeof(struct throttle));
}

void throttle_free(struct throttle *t)
{
	free(t);
}

static const struct row *find(const struct throttle *t, const char *key)
{
	char cut[THROTTLE_KEY_SIZE];

	utf8_copy(cut, sizeof(cut), key, strlen(key));
	for (size_t i = 0; i < KEYS_MAX; i++)
		if (*cut && !strcmp(t->rows[i].key, cut))
			return &t->rows[i];
	return NULL;
}

unsigned throttle_wait(const struct throttle *t, const char *key, uint64_t now_ns)
{
	const struct row *r = find(t, key);

	if (!r || now_ns >= r->locked_until_ns)
		return 0;
	return (unsigned)((r->locked_until_ns - now_ns + NS_PER_SEC - 1) / NS_PER_SEC);
}

/* The row of a key: its own, or the one that is unused for longest, cleared. */
static struct row *take(struct throttle *t, const char *key)
{
	struct row *r = (struct row *)find(t, key);

	if (r)
		return r;
	r = &t->rows[0];
	for (size_t i = 1; i < KEYS_MAX; i++)
		if (t->rows[i].last_ns < r->last_ns)
			r = &t->rows[i];
	memset(r, 0, sizeof(*r));
	utf8_copy(r->key, sizeof(r->key), key, strlen(key));
	return r;
}

void throttle_failed(struct throttle *t, const char *key, uint64_t now_ns)
{
	struct row *r = take(t, key);
	uint64_t lock = FIRST;

	if (now_ns - r->last_ns > WINDOW)
		r->n = 0;
	r->last_ns = now_ns;
	r->n++;
	for (unsigned n = THROTTLE_FREE; n < r->n && lock < MOST; n++)
		lock *= 2;
	if (r->n >= THROTTLE_FREE)
		r->locked_until_ns = now_ns + (lock < MOST ? lock : MOST);
}

void throttle_forgive(struct throttle *t, const char *key)
{
	struct row *r = (struct row *)find(t, key);

	if (r)
		memset(r, 0, sizeof(*r));
}
