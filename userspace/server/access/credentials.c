// SPDX-License-Identifier: MIT
/* Operator tokens, kept in memory beside the store, and who a secret belongs to. */
#include "server/access/credentials.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/utf8.h"

#define TOUCH_EVERY_MS (10ull * 60 * 1000) /* a token's last use is stored this coarsely */

struct access {
	struct store *store;
	struct access_token *tokens; /* by name */
	size_t n_tokens, tokens_room;
	size_t adding; /* with the store, and not among them yet */
	struct sign_ins sign_ins;
	int load_error;
	uint64_t swept_ms;
	void (*ended)(void *arg, const char *token, const char *session);
	void *ended_arg;
};

/* For one more token, and all that are to come. 0 or -ENOMEM. */
static int make_room(struct access *a)
{
	size_t room = a->n_tokens + a->adding + 1;
	struct access_token *more;

	if (room <= a->tokens_room)
		return 0;
	more = reallocarray(a->tokens, 2 * room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	a->tokens = more;
	a->tokens_room = 2 * room;
	return 0;
}

static void load_token(void *arg, const struct store_token *row)
{
	struct access *a = arg;
	struct access_token *t;

	if (make_room(a)) {
		a->load_error = -ENOMEM;
		return;
	}
	t = &a->tokens[a->n_tokens++];
	memset(t, 0, sizeof(*t));
	utf8_format(t->who.name, sizeof(t->who.name), "%s", row->name);
	t->who.role = role_parse(row->role);
	utf8_format(t->hash, sizeof(t->hash), "%s", row->hash);
	t->created_ms = row->created_ms;
	t->revoked_ms = row->revoked_ms;
	t->expires_ms = row->expires_ms;
	t->used_ms = row->used_ms;
}

struct access *access_new(struct store *store)
{
	struct access *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->store = store;
	a->swept_ms = clock_wall_ms();
	if (store_tokens(store, load_token, a) || sign_ins_load(&a->sign_ins, store) ||
	    a->load_error) {
		access_free(a);
		return NULL;
	}
	return a;
}

void access_free(struct access *a)
{
	if (!a)
		return;
	free(a->tokens);
	sign_ins_free(&a->sign_ins);
	free(a);
}

void access_on_end(struct access *a,
		   void (*ended)(void *arg, const char *token, const char *session), void *arg)
{
	a->ended = a->sign_ins.ended = ended;
	a->ended_arg = a->sign_ins.ended_arg = arg;
}

static struct access_token *find(struct access *a, const char *name)
{
	for (size_t i = 0; i < a->n_tokens; i++)
		if (!strcmp(a->tokens[i].who.name, name))
			return &a->tokens[i];
	return NULL;
}

static bool lives(const struct access_token *t)
{
	return !t->revoked_ms && (!t->expires_ms || clock_wall_ms() < t->expires_ms);
}

/* Admins who stay: one that expires does not keep the last other one from being needed. */
static size_t lasting_admins(const struct access *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_tokens; i++)
		n += a->tokens[i].who.role == ROLE_ADMIN && !a->tokens[i].revoked_ms &&
		     !a->tokens[i].expires_ms;
	return n;
}

bool access_bootstrapped(const struct access *a)
{
	for (size_t i = 0; i < a->n_tokens; i++)
		if (a->tokens[i].who.role == ROLE_ADMIN && lives(&a->tokens[i]))
			return true;
	return false;
}

/* Nobody waits for the note, and the next use makes up for one that is lost. */
static void touch(struct access *a, struct access_token *t)
{
	uint64_t now = clock_wall_ms();
	struct store_tx *tx;

	if (now - t->used_ms <= TOUCH_EVERY_MS)
		return;
	t->used_ms = now;
	tx = store_begin(a->store);
	store_token_used(tx, t->who.name, now);
	store_commit(tx, NULL, NULL);
}

int access_bearer(struct access *a, const char *token, struct identity *who)
{
	struct access_token *found = NULL;
	char hash[SECRET_HASH_SIZE];

	if (!*token || strlen(token) > ACCESS_TOKEN_MAX)
		return -EACCES;
	secret_hash(token, hash);
	/* All of them every time: neither a match nor its place shows in the time. */
	for (size_t i = 0; i < a->n_tokens; i++)
		if (secret_equal(a->tokens[i].hash, hash) && lives(&a->tokens[i]))
			found = &a->tokens[i];
	if (!found)
		return -EACCES;
	touch(a, found);
	*who = found->who;
	return 0;
}

int access_session(struct access *a, const char *secret, struct identity *who)
{
	char hash[SECRET_HASH_SIZE];
	const struct sign_in *w;
	struct access_token *t;

	if (!*secret || strlen(secret) > ACCESS_TOKEN_MAX)
		return -EACCES;
	secret_hash(secret, hash);
	w = sign_ins_find(&a->sign_ins, hash);
	t = w ? find(a, w->token_name) : NULL;
	if (!t || !lives(t))
		return -EACCES;
	touch(a, t);
	*who = t->who;
	return 0;
}

bool access_session_lives(struct access *a, const char *session)
{
	const struct sign_in *w = sign_ins_find(&a->sign_ins, session);
	const struct access_token *t = w ? find(a, w->token_name) : NULL;

	return t && lives(t);
}

int access_login(struct access *a, const char *token, char secret[SECRET_TEXT_SIZE],
		 struct identity *who, store_done done, void *arg)
{
	struct sign_in w = {.created_ms = clock_wall_ms()};
	int err = access_bearer(a, token, who);

	if (!err)
		err = secret_new(secret);
	if (err)
		return err;
	secret_hash(secret, w.hash);
	strcpy(w.token_name, who->name);
	w.used_ms = w.created_ms;
	return sign_ins_add(&a->sign_ins, &w, done, arg);
}

int access_logout(struct access *a, const char *secret, store_done done, void *arg)
{
	char hash[SECRET_HASH_SIZE];
	struct sign_in *w;

	secret_hash(secret, hash);
	w = sign_ins_find(&a->sign_ins, hash);
	return w ? sign_ins_end(&a->sign_ins, w, done, arg) : -EACCES;
}

/* A token is no more; what was made from it goes too. */
static void token_ended(struct access *a, const char *name)
{
	sign_ins_end_of(&a->sign_ins, name);
	if (a->ended)
		a->ended(a->ended_arg, name, NULL);
}

void access_sweep(struct access *a)
{
	uint64_t now = clock_wall_ms();
	struct store_tx *tx;

	for (size_t i = 0; i < a->n_tokens; i++) {
		const struct access_token *t = &a->tokens[i];

		if (t->revoked_ms || t->expires_ms <= a->swept_ms || t->expires_ms > now)
			continue;
		tx = store_begin(a->store);
		store_sessions_delete_of(tx, t->who.name);
		store_commit(tx, NULL, NULL);
		token_ended(a, t->who.name);
	}
	a->swept_ms = now;
	sign_ins_sweep(&a->sign_ins);
}

static bool valid_name(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= ACCESS_NAME_SIZE || (!isalnum((unsigned char)*name) && *name != '_'))
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
			return false;
	return true;
}

/* ---- changes ---- */

/* One that is with the store. */
struct token_change {
	struct access *a;
	struct access_token t; /* as it is to be; without a hash: gone */
	bool ends;	       /* what was made from it ends */
	store_done done;
	void *arg;
};

/* Puts @t into the array, in the place of one of that name if there is one. There is room. */
static void keep(struct access *a, const struct access_token *t)
{
	struct access_token *old = find(a, t->who.name);
	size_t i = 0;

	if (old) {
		*old = *t;
		return;
	}
	while (i < a->n_tokens && strcmp(a->tokens[i].who.name, t->who.name) < 0)
		i++;
	memmove(&a->tokens[i + 1], &a->tokens[i], (a->n_tokens - i) * sizeof(*t));
	a->tokens[i] = *t;
	a->n_tokens++;
}

static void drop(struct access *a, const char *name)
{
	struct access_token *old = find(a, name);
	size_t i = old ? (size_t)(old - a->tokens) : a->n_tokens;

	if (!old)
		return;
	memmove(&a->tokens[i], &a->tokens[i + 1], (a->n_tokens - i - 1) * sizeof(*old));
	a->n_tokens--;
}

static void on_changed(void *arg, int err)
{
	struct token_change *c = arg;

	c->a->adding--;
	if (!err && *c->t.hash)
		keep(c->a, &c->t);
	else if (!err)
		drop(c->a, c->t.who.name);
	if (!err && c->ends)
		token_ended(c->a, c->t.who.name);
	c->done(c->arg, err);
	free(c);
}

static int change(struct store_tx *tx, const struct token_change *what)
{
	struct token_change *c = malloc(sizeof(*c));
	int err = !c ? -ENOMEM : make_room(what->a);

	if (err) {
		store_drop(tx);
		free(c);
		return err;
	}
	*c = *what;
	err = store_commit(tx, on_changed, c);
	if (err)
		free(c);
	else
		c->a->adding++;
	return err;
}

static struct store_token row_of(const struct access_token *t)
{
	return (struct store_token){.name = t->who.name,
				    .role = role_text(t->who.role),
				    .hash = t->hash,
				    .created_ms = t->created_ms,
				    .revoked_ms = t->revoked_ms,
				    .expires_ms = t->expires_ms,
				    .used_ms = t->used_ms};
}

int access_token_add(struct access *a, const char *name, enum role role, uint64_t expires_ms,
		     char made[SECRET_TEXT_SIZE], store_done done, void *arg)
{
	struct access_token t = {.who.role = role,
				 .created_ms = clock_wall_ms(),
				 .expires_ms = expires_ms};
	const struct access_token *old = find(a, name);
	struct store_token row;
	struct store_tx *tx;
	int err;

	if (!valid_name(name) || role == ROLE_NONE)
		return -EINVAL;
	if (old && lives(old))
		return -EEXIST;
	err = secret_new(made);
	if (err)
		return err;
	strcpy(t.who.name, name);
	secret_hash(made, t.hash);
	row = row_of(&t);
	tx = store_begin(a->store);
	store_token_add(tx, &row);
	/* No sweep may have seen the old one's end: its sessions are not the new one's. */
	return change(
		tx, &(struct token_change){.a = a, .t = t, .ends = old, .done = done, .arg = arg});
}

int access_token_revoke(struct access *a, const char *name, store_done done, void *arg)
{
	struct access_token *old = find(a, name), t;
	struct store_tx *tx;

	if (!old || old->revoked_ms)
		return -ENOENT;
	if (old->who.role == ROLE_ADMIN && !old->expires_ms && lasting_admins(a) == 1)
		return -EPERM;
	t = *old;
	t.revoked_ms = clock_wall_ms();
	tx = store_begin(a->store);
	store_token_revoke(tx, name, t.revoked_ms);
	return change(
		tx, &(struct token_change){.a = a, .t = t, .ends = true, .done = done, .arg = arg});
}

const struct access_token *access_tokens(const struct access *a, size_t *n)
{
	*n = a->n_tokens;
	return a->tokens;
}

int access_set_legacy(struct access *a, const char *secret, const char **owner, store_done done,
		      void *arg)
{
	struct token_change c = {.a = a, .ends = true, .done = done, .arg = arg};
	struct access_token t = {.who = {ACCESS_LEGACY, ROLE_ADMIN}, .created_ms = clock_wall_ms()};
	const struct access_token *old = find(a, ACCESS_LEGACY);
	struct store_token row;
	struct store_tx *tx;

	if (secret)
		secret_hash(secret, t.hash);
	for (size_t i = 0; i < a->n_tokens && secret; i++)
		if (&a->tokens[i] != old && secret_equal(a->tokens[i].hash, t.hash)) {
			*owner = a->tokens[i].who.name;
			return -EEXIST;
		}
	if (secret ? old && !strcmp(old->hash, t.hash) : !old)
		return 1;
	c.t = t;
	row = row_of(&t);
	tx = store_begin(a->store);
	store_token_delete(tx, ACCESS_LEGACY);
	if (secret)
		store_token_put(tx, &row);
	return change(tx, &c);
}
