/* SPDX-License-Identifier: MIT */
/* The two builds of the kernel programs, in the variants that a kernel may take. */
#ifndef PORTUNUS_EDGE_ACCOUNT_PROGRAMS_H
#define PORTUNUS_EDGE_ACCOUNT_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>

struct account_basic_bpf;
struct account_bpf;
struct bpf_map;
struct bpf_program;

/* The kernel programs as they were loaded; of the two builds one is there. */
struct account_programs {
	struct account_bpf *full;
	struct account_basic_bpf *basic;
	struct bpf_map *sockets, *targets, *meta, *hints, *events;
	struct bpf_program *account;
	struct bpf_program *refresh, *tagged, *connections; /* NULL in the basic build */
};

/* What a kernel may lack without the counts being wrong. */
struct account_variant {
	const char *kconfig; /* NULL: /proc/config.gz or /boot/config-*, whichever there is */
	bool take_hints;
	bool basic;
};

/* All of them, by how much is missed; @n gets their number. */
const struct account_variant *account_variants(size_t *n);

/* Opens one variant's object, whose maps may be exchanged before it is loaded. 0 or -errno. */
int account_programs_open(struct account_programs *p, const struct account_variant *v);
int account_programs_load(struct account_programs *p);
/* Whether the programs know the kernel's tick rate, so that SYNs are retried quickly. */
bool account_programs_know_hz(const struct account_programs *p);
void account_programs_drop(struct account_programs *p);

#endif
