/* SPDX-License-Identifier: MIT */
/* The hashing of clients onto targets: the same on every edge and every machine. */
#ifndef PORTUNUS_EDGE_TARGET_HASH_H
#define PORTUNUS_EDGE_TARGET_HASH_H

#include <stdint.h>

union addr;

/* What a target is known by: the same for every spelling of it. */
uint64_t hash_target(const char *host, uint16_t port);

/* What a client is known by: its address, without the port. */
uint64_t hash_client(const union addr *client);

/*
 * How far a target is from a client; the nearest gets it. Rendezvous hashing (Thaler and Ravishankar):
 * who is lost loses only the clients that it has won. A target of weight w comes nearer by dividing
 * by w, and so wins w times as often: the distance is -log2 of a hash, in units of 2^-24. Less than 2^31.
 */
uint64_t hash_distance(uint64_t client, uint64_t target);

#endif
