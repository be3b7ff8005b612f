/* SPDX-License-Identifier: MIT */
/* Looks up the control server's name without making the event loop wait. */
#ifndef PORTUNUS_LIB_BASE_LOOKUP_H
#define PORTUNUS_LIB_BASE_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/addr.h"

struct event_base;
struct lookup;

/* The result, once, from the loop: @error is NULL and there is at least one address, or it says in words
 * what went wrong. Everything lives until the callback returns; then the lookup is gone. */
typedef void lookup_fn(const char *error, const union addr *addrs, size_t n, void *arg);

/*
 * Finds the addresses of the control server's name, as the system does it (getaddrinfo: hosts file,
 * nsswitch, resolver), in a thread of its own so that the loop never waits. A literal needs no
 * thread. Returns NULL with errno set when memory, descriptors or threads are short. For the names of
 * targets, with their TTLs, the edge has its own resolver.
 */
struct lookup *lookup_start(struct event_base *base, const char *host, uint16_t port,
			    lookup_fn *done, void *arg);

/* No callback any more. A thread that is still waiting for an answer ends by itself. */
void lookup_cancel(struct lookup *l);

#endif
