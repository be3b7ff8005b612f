/* SPDX-License-Identifier: MIT */
/* Certificates and tokens that change while edges stay connected. */
#ifndef PORTUNUS_SERVER_FLEET_RENEWAL_H
#define PORTUNUS_SERVER_FLEET_RENEWAL_H

#include "server/fleet/rotation.h"
#include "server/fleet/sessions.h"

/*
 * New certificates and tokens without an outage: edges are told over the open channel, store them in
 * their bundle and say so, and only then does the server change over. What is under way is in the
 * store. Edges that cannot do it have 30 days to be enrolled again. Loop thread.
 */
#define RENEWAL_DAYS 30

struct renewal;
struct renewal_config {
	const char *data_dir, *cert_path, *key_path;
	const char *advertised; /* or NULL */
	/* The files have changed: read them again. 0 when they are what is served, or -errno, logged. */
	int (*switched)(void *arg);
	void *arg;
};

/* Also takes up what was under way. NULL for memory. */
struct renewal *renewal_new(struct fleet *f, const struct renewal_config *config);
void renewal_free(struct renewal *r);

/*
 * Makes the next certificate and tells the edges; when all have it, which may be at once, it is the one.
 * Again while that is under way: nothing new. 0 when @done will be called, or -1 with @err.
 */
int renewal_certificate(struct renewal *r, renewal_done done, void *arg, struct fleet_error *err);
/* Whether one is under way. Edges that do not have the next pin yet, by name; 0 when it is done. */
bool renewal_under_way(const struct renewal *r);
size_t renewal_waiting(struct renewal *r, void (*name)(void *arg, const char *name), void *arg);

/* @done hears when the edge has its new token. 0, or -1 with @err. */
int renewal_token(struct renewal *r, struct fleet_client *c, renewal_done done, void *arg,
		  struct fleet_error *err);
/* To be called now and then. */
void renewal_sweep(struct renewal *r);

/* ---- for the files of the fleet; of struct session_events. @r may be NULL ---- */
void renewal_on_greeted(struct renewal *r, struct session *s);
void renewal_on_ack(struct renewal *r, struct session *s, uint64_t serial, const char *error);
void renewal_on_session_end(struct renewal *r, struct session *s);

#endif
