/* SPDX-License-Identifier: MIT */
/* The one place that says yes or no: the owner's envelope, then the rule's. */
#ifndef PORTUNUS_EDGE_ADMIT_ADMIT_H
#define PORTUNUS_EDGE_ADMIT_ADMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/admit/envelope.h"

/* Who has a say, in the order in which they are asked. */
enum { ADMIT_OWNER, ADMIT_RULE, ADMIT_ENVELOPES };

/* The envelopes of a connection or flow; NULL for one that it has not. */
struct admission {
	struct envelope *by[ADMIT_ENVELOPES];
};

/*
 * Whether one more connection or flow may begin; then it is counted in every envelope until
 * admit_leave(). What a later envelope refuses is given back to the earlier ones. Worker's thread.
 */
bool admit_enter(const struct admission *a, unsigned worker, bool udp, uint64_t now_ns);
/* One that an earlier process let in is counted, whatever the caps are. */
void admit_adopt(const struct admission *a, unsigned worker);
void admit_leave(const struct admission *a, unsigned worker);
/* It was let in and yet cannot begin: as if it had not come. */
void admit_take_back(const struct admission *a, unsigned worker);

/* Whether anybody caps the bytes of that direction. */
static inline bool admit_shapes(const struct admission *a, unsigned direction)
{
	for (unsigned i = 0; i < ADMIT_ENVELOPES; i++)
		if (a->by[i] && bucket_caps(&a->by[i]->bytes[direction]))
			return true;
	return false;
}

/* Pays for bytes that were read before anybody could be asked: those who come next wait for them. */
void admit_charge(const struct admission *a, unsigned direction, size_t len, uint64_t now_ns);

/* Whether a datagram of @len bytes may pass now. */
bool admit_datagram(const struct admission *a, unsigned direction, size_t len, uint64_t now_ns);

#endif
