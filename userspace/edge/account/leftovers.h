/* SPDX-License-Identifier: MIT */
/* What earlier processes left in bpffs because sockets of theirs were still open. */
#ifndef PORTUNUS_EDGE_ACCOUNT_LEFTOVERS_H
#define PORTUNUS_EDGE_ACCOUNT_LEFTOVERS_H

#include <stdbool.h>
#include <stdint.h>

struct account_pins;

/* Sets aside the pinned link, of that id: it stays, under another name. 0 or -errno. */
int account_leftovers_add_link(const struct account_pins *p, uint32_t id);
/* Whether links or versions of an earlier process are still there. */
bool account_leftovers_found(const struct account_pins *p);
/* Takes one that is on that cgroup back. 0 or -ENOENT. */
int account_leftovers_take_link(const struct account_pins *p, uint64_t cgroup);
/* Removes the links that were set aside. */
void account_leftovers_drop_links(const struct account_pins *p);
/*
 * Removes what earlier processes left, as far as no socket is theirs: other versions' pins, which
 * @tagged_prog_fd looks for (the program of the iterator over tagged sockets; below 0, where there is
 * none, they go when @lingered), and, when @links_idle, the links that were set aside.
 */
void account_leftovers_drop(const struct account_pins *p, int tagged_prog_fd, bool links_idle,
			    bool lingered);

#endif
