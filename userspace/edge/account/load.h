/* SPDX-License-Identifier: MIT */
/* Loads the kernel programs, with the maps that are pinned already, and attaches them. */
#ifndef PORTUNUS_EDGE_ACCOUNT_LOAD_H
#define PORTUNUS_EDGE_ACCOUNT_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/account/bpffs.h"
#include "edge/account/programs.h"

struct account_failure;
struct account_hint;
struct account_pins;
struct bpf_link;

/* The kernel's part: programs, maps and links as this process holds them. */
struct account_kernel {
	struct account_programs programs;
	struct bpf_link *refresh, *tagged; /* iterators; NULL with the basic build */
	struct account_hint *hints;	   /* mapped; NULL where the kernel lacks what they need */
	int sockets_fd, targets_fd, meta_fd, link_fd;
	char cgroup[ACCOUNT_PATH_MAX]; /* that the link is on */
	uint64_t next_slot;	       /* number of the next record */
	bool fast_syn;
};

/*
 * From nothing to a loaded, pinned, attached set, or an explained failure. Takes over what is pinned in
 * the directory, which is locked.
 * @only_basic: the full build is not even tried. 0 or -errno; account_unload() after either.
 */
int account_load(struct account_kernel *k, const struct account_pins *pins, bool only_basic,
		 struct account_failure *f);
/*
 * Attaches to the cgroup that this process was moved to, if it was; the link of the one before is set aside,
 * for sockets stay in the cgroup they were made in. 1 when it has, 0 when there was nothing to do, -errno.
 */
int account_follow(struct account_kernel *k, const struct account_pins *pins);
/* Leaves the pins: counting goes on. */
void account_unload(struct account_kernel *k);

/* The link of an iterator, and the program of the one over tagged sockets; -1 where there is none. */
int account_refresh_fd(const struct account_kernel *k);
int account_tagged_fd(const struct account_kernel *k);
int account_tagged_prog_fd(const struct account_kernel *k);

#endif
