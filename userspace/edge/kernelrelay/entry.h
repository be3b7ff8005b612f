/* SPDX-License-Identifier: MIT */
/* The entries of the maps as user space writes them: an observed pair, and its end. */
#ifndef PORTUNUS_EDGE_KERNELRELAY_ENTRY_H
#define PORTUNUS_EDGE_KERNELRELAY_ENTRY_H

#include <stdint.h>

struct conn;
struct relay_share;
struct target;

/* Of host and port: by it the next process finds the target again. */
uint64_t relay_target_hash(const struct target *t);

/* Begins to observe both legs of @c, whose slot is set; enum path_reason. */
int relay_entry_observe(struct relay_share *s, struct conn *c);
/* Nobody looks for the tuples of @slot any more; the slot's own state stays. */
void relay_entry_forget(struct relay_share *s, uint32_t slot);
/* Ends the observation of @c, which has no slot afterwards. */
void relay_entry_abandon(struct relay_share *s, struct conn *c);

#endif
