// SPDX-License-Identifier: MIT
/* Tokens of edges that change while the edges stay connected. */
#include "server/fleet/rotation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "lib/base/log.h"
#include "lib/base/secret.h"

#define TOKEN_SECS 5

/* An operator who waits for an edge to have its new token. */
struct token_wait {
	LIST_ENTRY(token_wait) entry;
	struct event *timeout;
	char client_id[STORE_ID_SIZE + 1];
	uint64_t serial;
	struct outbox_credential next; /* until it is stored, and sent */
	renewal_done done;
	void *arg;
};

static void wait_over(struct token_wait *w, int status, const char *code, const char *message)
{
	struct fleet_error err;

	LIST_REMOVE(w, entry);
	event_free(w->timeout);
	if (status)
		fleet_error_set(&err, status, code, "%s: %s", code, message);
	w->done(w->arg, status ? &err : NULL);
	explicit_bzero(w, sizeof(*w));
	free(w);
}

static void token_timed_out(evutil_socket_t fd, short what, void *arg)
{
	wait_over(arg, 504, "ack_timeout",
		  "the edge did not say that it has the new token; the old one is good until it "
		  "shows the new one");
}

static struct token_wait *wait_of(struct rotations *all, const char *client_id)
{
	struct token_wait *w;

	LIST_FOREACH (w, &all->waits, entry) {
		if (!strcmp(w->client_id, client_id))
			break;
	}
	return w;
}

static struct token_wait *wait_by_serial(struct rotations *all, uint64_t serial)
{
	struct token_wait *w;

	LIST_FOREACH (w, &all->waits, entry) {
		if (w->serial == serial)
			break;
	}
	return w;
}

static struct token_wait *wait_new(struct rotations *all, struct fleet_client *c, renewal_done done,
				   void *arg)
{
	struct token_wait *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->timeout = evtimer_new(all->f->base, token_timed_out, w);
	if (!w->timeout || secret_new(w->next.token)) {
		if (w->timeout)
			event_free(w->timeout);
		free(w);
		return NULL;
	}
	strcpy(w->client_id, c->id);
	w->serial = ++*all->serial;
	w->done = done;
	w->arg = arg;
	LIST_INSERT_HEAD(&all->waits, w, entry);
	return w;
}

/* A token that is with the store: the next one's hash, or that it is the only one now. */
struct token_change {
	struct fleet *f;
	struct rotations *all; /* where somebody waits, under @serial; NULL: nobody does */
	uint64_t serial;
	char client_id[STORE_ID_SIZE + 1], hash[SECRET_HASH_SIZE];
};

/* NULL for memory. */
static struct token_change *token_change_new(struct fleet *f, const struct fleet_client *c,
					     const char *hash)
{
	struct token_change *ch = calloc(1, sizeof(*ch));

	if (!ch)
		return NULL;
	ch->f = f;
	strcpy(ch->client_id, c->id);
	strcpy(ch->hash, hash);
	return ch;
}

static struct token_wait *waiting_for(const struct token_change *ch)
{
	return ch->all ? wait_by_serial(ch->all, ch->serial) : NULL;
}

static void send_token(struct token_wait *w, struct fleet_client *c)
{
	const struct timeval wait = {.tv_sec = TOKEN_SECS};

	event_add(w->timeout, &wait);
	outbox_send_credential(&c->session->out, w->serial, &w->next);
	explicit_bzero(&w->next, sizeof(w->next));
}

static void on_next_stored(void *arg, int err)
{
	struct token_change *ch = arg;
	struct fleet_client *c = fleet_client(ch->f, ch->client_id);
	struct token_wait *w = waiting_for(ch);

	if (!err && c)
		strcpy(c->next_token_hash, ch->hash);
	/* Whoever waited has heard of the session's end, if it did. */
	if (w && err)
		wait_over(w, 503, "store_unavailable", store_advice(err));
	else if (w && c && c->connected)
		send_token(w, c);
	free(ch);
}

/* Stores the hash of the next token. 0 or -errno. */
static int store_next(struct rotations *all, struct fleet_client *c, struct token_wait *w)
{
	char hash[SECRET_HASH_SIZE], key[64];
	struct token_change *ch;
	struct store_tx *tx;
	int err;

	secret_hash(w->next.token, hash);
	snprintf(key, sizeof(key), STORE_NEXT_TOKEN "%s", c->id);
	ch = token_change_new(all->f, c, hash);
	if (!ch)
		return -ENOMEM;
	ch->all = all;
	ch->serial = w->serial;
	tx = store_begin(all->f->store);
	store_setting_put(tx, key, hash);
	err = store_commit(tx, on_next_stored, ch);
	if (err)
		free(ch);
	return err;
}

int rotation_begin(struct rotations *all, struct fleet_client *c, renewal_done done, void *arg,
		   struct fleet_error *err)
{
	struct token_wait *w;
	int errnum;

	if (!c->connected || !c->session->credential_update) {
		fleet_error_set(err, 422,
				c->connected ? "rotation_unsupported_by_client"
					     : "client_not_connected",
				"the edge %s; enroll it again in place of it",
				c->connected ? "cannot change its token by itself"
					     : "is not connected");
		return -1;
	}
	if (wait_of(all, c->id)) {
		fleet_error_set(err, 409, "update_in_progress",
				"the edge has not answered the last change of its token yet");
		return -1;
	}
	w = wait_new(all, c, done, arg);
	errnum = w ? store_next(all, c, w) : -ENOMEM;
	if (!errnum)
		return 0;
	if (w) {
		LIST_REMOVE(w, entry);
		event_free(w->timeout);
		free(w);
	}
	fleet_error_store(err, errnum);
	return -1;
}

static void on_token_taken(void *arg, int err)
{
	struct token_change *ch = arg;
	struct fleet_client *c = fleet_client(ch->f, ch->client_id);
	struct token_wait *w = waiting_for(ch);

	if (!err && c) {
		strcpy(c->token_hash, ch->hash);
		if (!strcmp(c->next_token_hash, ch->hash))
			c->next_token_hash[0] = '\0';
		log_event(LOG_INFO, "client.token_rotated", LOGF_STR("client_id", c->id),
			  LOGF_STR("client", c->name));
	}
	if (w && err)
		wait_over(w, 503, "store_unavailable", "both tokens are good for now");
	else if (w)
		wait_over(w, 0, NULL, NULL);
	free(ch);
}

/* The next token becomes the token; @w, which may be NULL, hears of it. */
static int take_token(struct fleet *f, struct fleet_client *c, struct rotations *all,
		      const struct token_wait *w)
{
	struct token_change *ch = token_change_new(f, c, c->next_token_hash);
	struct store_tx *tx;
	int err;

	if (!ch)
		return -ENOMEM;
	ch->all = w ? all : NULL;
	ch->serial = w ? w->serial : 0;
	tx = store_begin(f->store);
	store_client_take_token(tx, c->id, ch->hash);
	err = store_commit(tx, on_token_taken, ch);
	if (err)
		free(ch);
	return err;
}

void rotation_token_shown(struct fleet *f, struct fleet_client *c, const char *token_hash)
{
	if (*c->next_token_hash && !strcmp(c->next_token_hash, token_hash))
		take_token(f, c, NULL, NULL);
}

void rotation_on_ack(struct rotations *all, struct fleet_client *c, uint64_t serial,
		     const char *error)
{
	struct token_wait *w = wait_of(all, c->id);

	if (!w || w->serial != serial)
		return;
	event_del(w->timeout);
	if (*error)
		wait_over(w, 422, "activation_failed", "the edge could not store its bundle");
	else if (take_token(all->f, c, all, w))
		wait_over(w, 503, "store_unavailable", "both tokens are good for now");
}

void rotation_on_session_end(struct rotations *all, struct fleet_client *c)
{
	struct token_wait *w = wait_of(all, c->id);

	if (w)
		wait_over(
			w, 504, "ack_timeout",
			"the edge's session ended before it answered; the old token is good until "
			"it shows the new one");
}

void rotations_end(struct rotations *all)
{
	while (!LIST_EMPTY(&all->waits))
		wait_over(LIST_FIRST(&all->waits), 504, "ack_timeout", "the server stops");
}
