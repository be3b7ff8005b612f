/* SPDX-License-Identifier: MIT */
/* One instance's directory of pins: made, locked, emptied. */
#ifndef PORTUNUS_EDGE_ACCOUNT_PINS_H
#define PORTUNUS_EDGE_ACCOUNT_PINS_H

#include <stdbool.h>

#include "edge/account/bpffs.h"

#define ACCOUNT_HOLDER_MAX 128

/* Where one instance's pins are. */
struct account_pins {
	char bpffs[ACCOUNT_PATH_MAX];
	char dir[ACCOUNT_PATH_MAX];
	char instance[40];		 /* "" for the default one */
	int lock_fd;			 /* the directory, locked; below 0 while it is not */
	char holder[ACCOUNT_HOLDER_MAX]; /* who has it, after -EBUSY */
};

/* Fills in @p; 0 or -ENAMETOOLONG. */
int account_pins_init(struct account_pins *p, const char *bpffs, const char *instance);

/*
 * Makes the directory and locks it, so that no other process counts with these pins: the lock lies
 * where they do, because containers may share a BPF file system and nothing else. 0 or -errno:
 * -EINVAL (no BPF file system), -EBUSY with p->holder.
 */
int account_pins_open(struct account_pins *p);
void account_pins_close(struct account_pins *p);
/* Removes all pins of this version, and the parent directory if it was the last. */
void account_pins_remove(const struct account_pins *p);
/* Removes the directory if it is empty. */
void account_pins_tidy(const struct account_pins *p);
/* Removes one pin; 0 or -errno. */
int account_pins_unlink(const struct account_pins *p, const char *name);

#endif
