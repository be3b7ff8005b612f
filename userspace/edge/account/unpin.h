/* SPDX-License-Identifier: MIT */
/* Removing what a stopped edge left in the kernel. */
#ifndef PORTUNUS_EDGE_ACCOUNT_UNPIN_H
#define PORTUNUS_EDGE_ACCOUNT_UNPIN_H

#include <stddef.h>

/*
 * Removes every pin of an instance ("" for the default one). With @holder not while a process counts
 * with them: -EBUSY, and @holder says who does. Follows no symbolic link, and touches nothing but a BPF
 * file system: -EINVAL. Returns the number of removed pins or -errno.
 */
int account_unpin(const char *bpffs, const char *instance, char *holder, size_t size);

#endif
