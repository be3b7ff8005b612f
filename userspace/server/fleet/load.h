/* SPDX-License-Identifier: MIT */
/* From the store into memory. */
#ifndef PORTUNUS_SERVER_FLEET_LOAD_H
#define PORTUNUS_SERVER_FLEET_LOAD_H

struct fleet;

/* Reads clients, rules and counters. Returns 0 or -errno. Before anything else. */
int fleet_load(struct fleet *f);

#endif
