/* SPDX-License-Identifier: MIT */
/* Envelopes of owners: set and removed by operators, told to edges. */
#ifndef PORTUNUS_SERVER_FLEET_CAPS_H
#define PORTUNUS_SERVER_FLEET_CAPS_H

#include "server/fleet/error.h"
#include "server/fleet/owner.h"

struct fleet;
struct fleet_client;

/* Whether that edge caps owners: the connected one by what it says, another by what it said last. */
int fleet_can_cap(const struct fleet_client *c, struct fleet_error *err);

/*
 * Told what became of a change: @err is an errno of the store, -ENOENT: the client has gone. @o is the
 * envelope that holds now, or NULL.
 */
typedef void (*fleet_owner_done)(void *arg, const struct fleet_client *c,
				 const struct fleet_owner *o, int err);

/*
 * Stores an envelope over all rules of @owner on @c, those to come too, and sends it if the edge is
 * connected, else with the replay; NULL takes it away, which is no error where there was none. @done is
 * called when it returns 0; else it is -errno.
 */
int fleet_cap_owner(struct fleet *f, struct fleet_client *c, const char *owner,
		    const struct rate_limit *limit, fleet_owner_done done, void *arg);

#endif
