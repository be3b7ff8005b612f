/* SPDX-License-Identifier: MIT */
/* Directories below a BPF file system: opened without following symbolic links, read, removed. */
#ifndef PORTUNUS_EDGE_ACCOUNT_BPFFS_H
#define PORTUNUS_EDGE_ACCOUNT_BPFFS_H

#include <stddef.h>

#define ACCOUNT_PATH_MAX 512
/* A symbolic link that leads nowhere: its text says who counts with the pins beside it. A BPF file
 * system has no ordinary files. */
#define ACCOUNT_PIN_HOLDER "holder"

/* Opens a mount point. Its fd or -errno: -EINVAL when it is no BPF file system. */
int account_bpffs_open(const char *bpffs);
/* Removes the directory that all instances share, if it is empty. */
void account_bpffs_tidy(const char *bpffs);

/* The directory of one version of an instance's pins. 0 or -ENAMETOOLONG. */
int account_pin_dir(char *buf, size_t size, const char *bpffs, int version, const char *instance);
/*
 * Opens it, following no symbolic link. Its fd or -errno: -ENOENT, -EINVAL (@bpffs is no BPF file
 * system, or the way leads out of it).
 */
int account_pin_dir_open(const char *bpffs, int version, const char *instance);
/*
 * Calls @visit for each entry of the directory @fd; -errno when that cannot be read. An entry that is
 * removed meanwhile does not disturb the walk.
 */
int account_pin_dir_each(int fd, int (*visit)(int dir_fd, const char *name, void *arg), void *arg);
/* Removes it with all that is in it; adds the pins to *@removed. 0 or -errno. */
int account_pin_dir_remove(const char *bpffs, int version, const char *instance, int *removed);

#endif
