/* SPDX-License-Identifier: MIT */
/* Tokens of edges that change while the edges stay connected. */
#ifndef PORTUNUS_SERVER_FLEET_ROTATION_H
#define PORTUNUS_SERVER_FLEET_ROTATION_H

#include <sys/queue.h>

#include "server/fleet/error.h"
#include "server/fleet/sessions.h"

/* @done is called once, never before the function that takes it has returned: @err NULL when all went well. */
typedef void (*renewal_done)(void *arg, const struct fleet_error *err);

/*
 * The hash of the next token is stored, then the edge is told, and both tokens are good until the edge
 * says, or shows, that it has the next one. One change of an edge at a time. Part of the renewal.
 */
struct token_wait;
struct rotations {
	struct fleet *f;
	uint64_t *serial; /* of the last message to an edge */
	LIST_HEAD(, token_wait) waits;
};

/* 0 when @done will be called, or -1 with @err. */
int rotation_begin(struct rotations *all, struct fleet_client *c, renewal_done done, void *arg,
		   struct fleet_error *err);
/* The edge has stored, or (@error not "") has not, what it was sent under @serial. */
void rotation_on_ack(struct rotations *all, struct fleet_client *c, uint64_t serial,
		     const char *error);
void rotation_on_session_end(struct rotations *all, struct fleet_client *c);
/* Whoever waits still is told that the server stops. */
void rotations_end(struct rotations *all);

/* A client has shown a token: if that is its next one, the old one is no more. */
void rotation_token_shown(struct fleet *f, struct fleet_client *c, const char *token_hash);

#endif
