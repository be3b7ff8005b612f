/* SPDX-License-Identifier: MIT */
/* The life of a connection that the kernel relays: its figures, its limits, its end. */
#ifndef PORTUNUS_EDGE_KERNELRELAY_JOINED_H
#define PORTUNUS_EDGE_KERNELRELAY_JOINED_H

#include <stdint.h>

struct conn;
struct conn_figures;
struct relay_share;

/* The kernel has just taken @c over. */
void relay_joined_begin(struct relay_share *s, struct conn *c);

/* The same for one that an earlier process handed over. */
void relay_joined_adopt(struct relay_share *s, struct conn *c);

/* conn_close() of one: silent after its own end, else both peers are reset. */
void relay_joined_closing(struct relay_share *s, struct conn *c);

/* Resets both peers of an entry whose sockets are gone, and gives the slot back. */
void relay_joined_reset(struct relay_share *s, uint32_t slot);

/* What was acknowledged since, for whoever shows the connection. */
void relay_joined_figures(const struct relay_share *s, const struct conn *c,
			  struct conn_figures *out);

/* The program says that the pair of @slot came to its end. May close its connection. */
void relay_joined_ended(struct relay_share *s, uint32_t slot, uint32_t generation);

/* Interfaces or routes have changed: every way is looked up again. */
void relay_joined_reroute(struct relay_share *s);

/* Once a second: counters, limits, ends that no event told of. */
void relay_joined_look(struct relay_share *s);

#endif
