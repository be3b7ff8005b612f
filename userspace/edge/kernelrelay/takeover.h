/* SPDX-License-Identifier: MIT */
/* Connections that an earlier process handed over: found, and given to the rules and workers of this one. */
#ifndef PORTUNUS_EDGE_KERNELRELAY_TAKEOVER_H
#define PORTUNUS_EDGE_KERNELRELAY_TAKEOVER_H

#include <stdbool.h>
#include <stdint.h>

struct kernel_relay;
struct relay_share;
struct service;
struct target;

/* Whose a connection is. find() gives both references of, or returns false: there is no such rule or
 * target (yet). */
struct relay_finder {
	bool (*find)(void *arg, uint64_t rule_id, uint64_t target_hash, struct service **service,
		     struct target **target);
	void *arg;
	uint64_t patience_ns; /* for so long rules may still come; then what is left is reset */
};

/* Reads the entries of the maps that were found, before the workers begin. 0 or -ENOMEM. Main thread. */
int relay_takeover_read(struct kernel_relay *k);

/* Hands what has a rule to the workers; at most once a second is enough. Main thread. */
void relay_takeover_adopt(struct kernel_relay *k, const struct relay_finder *finder);

/* What the share begins with: free slots, and those that an earlier process used. Worker's thread. */
void relay_takeover_slots(struct relay_share *s);

#endif
