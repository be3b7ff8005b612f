// SPDX-License-Identifier: MIT
/* Operator tokens and browser sessions, kept in memory beside the store. */
#include "server/access.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "server/store.h"

#define SESSIONS_MAX   1024
#define TOUCH_EVERY_MS (10ull * 60 * 1000) /* a session's last use is stored this coarsely */

struct web_session {
	char hash[SECRET_HASH_SIZE];
	char token_name[ACCESS_NAME_SIZE];
	uint64_t created_ms, used_ms;
};

struct access {
	struct store *store;
	struct access_token *tokens; /* by name */
	size_t n_tokens;
	struct web_session *sessions;
	size_t n_sessions;
	int load_error;
};

static const char *const role_names[] = {
	[ROLE_NONE] = "none",
	[ROLE_VIEWER] = "viewer",
	[ROLE_OPERATOR] = "operator",
	[ROLE_ADMIN] = "admin",
};

enum role role_parse(const char *text)
{
	for (int i = ROLE_VIEWER; i <= ROLE_ADMIN; i++)
		if (!strcmp(text, role_names[i]))
			return i;
	return ROLE_NONE;
}

const char *role_text(enum role role)
{
	return role_names[role];
}

const char *role_contract_text(enum role role)
{
	return role == ROLE_ADMIN ? "superadmin" : "user";
}

static void load_token(void *arg, const struct store_token *row)
{
	struct access *a = arg;
	struct access_token *t, *more;

	more = reallocarray(a->tokens, a->n_tokens + 1, sizeof(*more));
	if (!more) {
		a->load_error = -ENOMEM;
		return;
	}
	a->tokens = more;
	t = &a->tokens[a->n_tokens++];
	memset(t, 0, sizeof(*t));
	snprintf(t->who.name, sizeof(t->who.name), "%s", row->name);
	t->who.role = role_parse(row->role);
	snprintf(t->hash, sizeof(t->hash), "%s", row->hash);
	t->created_ms = row->created_ms;
	t->revoked_ms = row->revoked_ms;
}

static void load_session(void *arg, const struct store_session *row)
{
	struct access *a = arg;
	struct web_session *w;

	if (a->n_sessions == SESSIONS_MAX)
		return;
	w = &a->sessions[a->n_sessions++];
	snprintf(w->hash, sizeof(w->hash), "%s", row->hash);
	snprintf(w->token_name, sizeof(w->token_name), "%s", row->token_name);
	w->created_ms = row->created_ms;
	w->used_ms = row->used_ms;
}

struct access *access_new(struct store *store)
{
	struct access *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->store = store;
	a->sessions = calloc(SESSIONS_MAX, sizeof(*a->sessions));
	if (!a->sessions || store_tokens(store, load_token, a) ||
	    store_sessions(store, load_session, a) || a->load_error) {
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
	free(a->sessions);
	free(a);
}

static struct access_token *find(struct access *a, const char *name)
{
	for (size_t i = 0; i < a->n_tokens; i++)
		if (!strcmp(a->tokens[i].who.name, name))
			return &a->tokens[i];
	return NULL;
}

static size_t live_admins(const struct access *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_tokens; i++)
		n += a->tokens[i].who.role == ROLE_ADMIN && !a->tokens[i].revoked_ms;
	return n;
}

bool access_bootstrapped(const struct access *a)
{
	return live_admins(a) > 0;
}

int access_bearer(struct access *a, const char *token, struct identity *who)
{
	char hash[SECRET_HASH_SIZE];
	int err = -EACCES;

	if (!*token || strlen(token) > ACCESS_TOKEN_MAX)
		return err;
	secret_hash(token, hash);
	/* All of them every time: neither a match nor its place shows in the time. */
	for (size_t i = 0; i < a->n_tokens; i++)
		if (secret_equal(a->tokens[i].hash, hash) && !a->tokens[i].revoked_ms) {
			*who = a->tokens[i].who;
			err = 0;
		}
	return err;
}

static void forget_session(struct access *a, size_t i)
{
	/* Not stored: it is expired or its token is revoked, and both hold after a restart too. */
	store_session_delete(a->store, a->sessions[i].hash);
	a->sessions[i] = a->sessions[--a->n_sessions];
}

static int put_session(struct access *a, const struct web_session *w)
{
	return store_session_put(a->store, &(struct store_session){
						   .hash = w->hash,
						   .token_name = w->token_name,
						   .created_ms = w->created_ms,
						   .used_ms = w->used_ms,
					   });
}

static bool expired(const struct web_session *w, uint64_t now)
{
	return now - w->created_ms > ACCESS_SESSION_MAX_SEC * 1000ull ||
	       now - w->used_ms > ACCESS_SESSION_IDLE_SEC * 1000ull + TOUCH_EVERY_MS;
}

int access_session(struct access *a, const char *secret, struct identity *who)
{
	uint64_t now = clock_wall_ms();
	char hash[SECRET_HASH_SIZE];

	if (!*secret || strlen(secret) > ACCESS_TOKEN_MAX)
		return -EACCES;
	secret_hash(secret, hash);
	for (size_t i = 0; i < a->n_sessions; i++) {
		struct web_session *w = &a->sessions[i];
		struct access_token *t;

		if (!secret_equal(w->hash, hash))
			continue;
		t = find(a, w->token_name);
		if (!t || t->revoked_ms || expired(w, now)) {
			forget_session(a, i);
			return -EACCES;
		}
		if (now - w->used_ms > TOUCH_EVERY_MS) {
			w->used_ms = now;
			put_session(a, w);
		}
		*who = t->who;
		return 0;
	}
	return -EACCES;
}

/* Room for one more: the expired ones first, else the one unused for longest. */
static void make_room(struct access *a)
{
	uint64_t now = clock_wall_ms();
	size_t oldest = 0;

	for (size_t i = a->n_sessions; i-- > 0;)
		if (expired(&a->sessions[i], now))
			forget_session(a, i);
	if (a->n_sessions < SESSIONS_MAX)
		return;
	for (size_t i = 1; i < a->n_sessions; i++)
		if (a->sessions[i].used_ms < a->sessions[oldest].used_ms)
			oldest = i;
	forget_session(a, oldest);
}

int access_login(struct access *a, const char *token, char secret[SECRET_TEXT_SIZE],
		 struct identity *who)
{
	struct web_session w = {.created_ms = clock_wall_ms()};
	int err = access_bearer(a, token, who);

	if (!err)
		err = secret_new(secret);
	if (err)
		return err;
	make_room(a);
	secret_hash(secret, w.hash);
	snprintf(w.token_name, sizeof(w.token_name), "%s", who->name);
	w.used_ms = w.created_ms;
	err = put_session(a, &w);
	if (!err)
		a->sessions[a->n_sessions++] = w;
	return err;
}

int access_logout(struct access *a, const char *secret)
{
	char hash[SECRET_HASH_SIZE];

	secret_hash(secret, hash);
	for (size_t i = 0; i < a->n_sessions; i++)
		if (secret_equal(a->sessions[i].hash, hash)) {
			forget_session(a, i);
			return 0;
		}
	return -EACCES;
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

static int put_token(struct access *a, const struct access_token *t)
{
	return store_token_put(a->store, &(struct store_token){
						 .name = t->who.name,
						 .role = role_text(t->who.role),
						 .hash = t->hash,
						 .created_ms = t->created_ms,
						 .revoked_ms = t->revoked_ms,
					 });
}

/* Puts @t into the array, in the place of one of that name if there is one. */
static int keep_token(struct access *a, const struct access_token *t)
{
	struct access_token *old = find(a, t->who.name), *more;
	size_t i = 0;
	int err;

	if (!old) {
		more = reallocarray(a->tokens, a->n_tokens + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		a->tokens = more;
	}
	err = put_token(a, t);
	if (err)
		return err;
	if (old) {
		*old = *t;
		return 0;
	}
	while (i < a->n_tokens && strcmp(a->tokens[i].who.name, t->who.name) < 0)
		i++;
	memmove(&a->tokens[i + 1], &a->tokens[i], (a->n_tokens - i) * sizeof(*t));
	a->tokens[i] = *t;
	a->n_tokens++;
	return 0;
}

int access_token_add(struct access *a, const char *name, enum role role, const char *secret,
		     char made[SECRET_TEXT_SIZE])
{
	struct access_token t = {.who.role = role, .created_ms = clock_wall_ms()};
	const struct access_token *old = find(a, name);
	int err;

	if (!valid_name(name) || role == ROLE_NONE)
		return -EINVAL;
	if (secret && (!*secret || strlen(secret) > ACCESS_TOKEN_MAX))
		return -EINVAL;
	if (old && !old->revoked_ms)
		return -EEXIST;
	if (!secret) {
		err = secret_new(made);
		if (err)
			return err;
	}
	snprintf(t.who.name, sizeof(t.who.name), "%s", name);
	secret_hash(secret ? secret : made, t.hash);
	return keep_token(a, &t);
}

int access_token_revoke(struct access *a, const char *name)
{
	struct access_token *old = find(a, name), t;
	int err;

	if (!old || old->revoked_ms)
		return -ENOENT;
	if (old->who.role == ROLE_ADMIN && live_admins(a) == 1)
		return -EBUSY;
	t = *old;
	t.revoked_ms = clock_wall_ms();
	err = keep_token(a, &t);
	if (err)
		return err;
	for (size_t i = a->n_sessions; i-- > 0;)
		if (!strcmp(a->sessions[i].token_name, name))
			forget_session(a, i);
	return 0;
}

const struct access_token *access_tokens(const struct access *a, size_t *n)
{
	*n = a->n_tokens;
	return a->tokens;
}

int access_set_legacy(struct access *a, const char *secret)
{
	struct access_token t = {.who = {ACCESS_LEGACY, ROLE_ADMIN}, .created_ms = clock_wall_ms()};
	const struct access_token *old = find(a, ACCESS_LEGACY);

	secret_hash(secret, t.hash);
	if (old && !strcmp(old->hash, t.hash))
		return 0;
	return keep_token(a, &t);
}
