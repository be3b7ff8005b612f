/* SPDX-License-Identifier: MIT */
/* The owners of a client's rules that have, or had, something to do with caps. */
#ifndef PORTUNUS_SERVER_FLEET_OWNER_H
#define PORTUNUS_SERVER_FLEET_OWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/rule/limit.h"
#include "server/fleet/report.h"

struct fleet_client;

/* One owner on one client. Owned by the client's list, which is sorted by id. */
struct fleet_owner {
	TAILQ_ENTRY(fleet_owner) of_client;
	bool capped; /* there is an envelope, if only an empty one */
	struct rate_limit limit;
	uint64_t updated_ms;
	bool reported; /* the edge has told figures */
	struct caps_figures figures;
	char id[];
};

/* NULL: unknown. */
struct fleet_owner *owner_find(const struct fleet_client *c, const char *id);
/* Makes one where there is none; NULL for memory. */
struct fleet_owner *owner_get(struct fleet_client *c, const char *id);
void owner_drop(struct fleet_client *c, struct fleet_owner *o);
void owner_drop_all(struct fleet_client *c);

#endif
