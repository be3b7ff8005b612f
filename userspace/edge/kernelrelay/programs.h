/* SPDX-License-Identifier: MIT */
/* The programs of the kernel relay and their maps: loaded, or taken over from the process before. */
#ifndef PORTUNUS_EDGE_KERNELRELAY_PROGRAMS_H
#define PORTUNUS_EDGE_KERNELRELAY_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/relay.h"

#define RELAY_PATH_MAX 512

struct relay_bpf;

/* Made by the main thread; the maps are used by the workers. */
struct relay_programs {
	struct relay_bpf *skeleton;
	struct relay_pair *pairs; /* RELAY_PAIRS of them, shared with the programs */
	int tuples_fd, rings_fd, flip_fd, fold_fd, ingress_fd, egress_fd, hush_fd;
	bool found;		  /* the maps are those of an earlier process */
	char dir[RELAY_PATH_MAX]; /* of the pins */
};

/*
 * Loads the programs. @targets_fd: the accounting's map of records, below 0 for none. 0 or -errno with a
 * sentence in @why.
 */
int relay_programs_open(struct relay_programs *p, const char *bpffs, const char *instance,
			int targets_fd, char *why, size_t size);
/* The maps stay pinned; relay_programs_unpin() takes them away. */
void relay_programs_close(struct relay_programs *p);
void relay_programs_unpin(const struct relay_programs *p);

/* Runs flip for @slot: enum relay_flip, or -errno. Any thread. */
int relay_programs_flip(const struct relay_programs *p, uint32_t slot);
/* Adds what was acknowledged to the records, of the slots from @slot up to @end. Any thread. */
void relay_programs_fold(const struct relay_programs *p, uint32_t slot, uint32_t end);

/* The directory of an instance's pins; 0 or -ENAMETOOLONG. */
int relay_pin_dir(char *buf, size_t size, const char *bpffs, const char *instance);
/* Removes all pins of an instance; returns their number. */
int relay_unpin(const char *bpffs, const char *instance);

#endif
