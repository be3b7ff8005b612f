/* SPDX-License-Identifier: MIT */
/* Connections counted by address. */
#ifndef PORTUNUS_API_HTTP_PEERS_H
#define PORTUNUS_API_HTTP_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/addr.h"

/*
 * How many connections an address has, and how often it was refused. IPv6 counts by /64, since one
 * host has as many addresses as it likes there.
 */
struct peer;
struct peers;

struct peers *http_peers_new(void);
void http_peers_free(struct peers *all);
/* One connection more. NULL for memory. */
struct peer *http_peer_join(struct peers *all, const union addr *addr);
/* One less; the last one frees it. NULL is nothing. */
void http_peer_leave(struct peers *all, struct peer *p);
unsigned http_peer_count(const struct peer *p);

#define PEER_REFUSALS_FREE 50 /* a second, on all of the address's connections together */
/* Its request was refused. Returns whether there were more of those than are free. */
bool http_peer_refused(struct peer *p, uint64_t now_ns);

#endif
