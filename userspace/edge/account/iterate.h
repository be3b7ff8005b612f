/* SPDX-License-Identifier: MIT */
/* Running the kernel programs' iterators, and what the one over all tagged sockets says. */
#ifndef PORTUNUS_EDGE_ACCOUNT_ITERATE_H
#define PORTUNUS_EDGE_ACCOUNT_ITERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account_tagged;

/*
 * Runs a BPF iterator, given by its link, to its end. *out, if @out is not NULL, gets what it printed
 * (the caller frees it). 0 or -errno.
 */
int account_iterate(int link_fd, void **out, size_t *len);

/* What the sockets carry now. */
struct account_in_use {
	struct account_tagged *tags; /* sorted by slot */
	size_t n;
};

/* Asks the `tagged` iterator; 0 or -errno. account_in_use_free() after 0. */
int account_in_use_read(int link_fd, struct account_in_use *u);
bool account_in_use_has(const struct account_in_use *u, uint64_t slot);
/* Whether a connection is older than that. */
bool account_in_use_since(const struct account_in_use *u, uint64_t before_ns);
void account_in_use_free(struct account_in_use *u);

#endif
