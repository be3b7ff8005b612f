/* SPDX-License-Identifier: MIT */
/* Why accounting is not in the kernel, or not all of it, in one sentence that says what to do about it. */
#ifndef PORTUNUS_EDGE_ACCOUNT_REASON_H
#define PORTUNUS_EDGE_ACCOUNT_REASON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where opening failed: with the errno, what account_explain() makes a sentence of. */
enum account_stage {
	ACCOUNT_STAGE_ASKED,	/* the operator wants user-space counts */
	ACCOUNT_STAGE_INSTANCE, /* a name that cannot be a directory's */
	ACCOUNT_STAGE_BPFFS,
	ACCOUNT_STAGE_HELD, /* by the process that .holder names */
	ACCOUNT_STAGE_CGROUP,
	ACCOUNT_STAGE_PINS,
	ACCOUNT_STAGE_LAYOUT,
	ACCOUNT_STAGE_LOAD,
	ACCOUNT_STAGE_ATTACH,
	ACCOUNT_STAGE_BASIC, /* not failed: it counts, with the basic programs */
};

struct account_failure {
	enum account_stage stage;
	int error;	      /* positive errno; 0: not an errno */
	const char *path;     /* what it happened to */
	const char *instance; /* "" for the default one */
	const char *holder;
	uint64_t capabilities; /* effective ones, bit n = capability n */
	bool has_btf;
};

/* Writes the sentence for people; returns @buf. Pure. */
char *account_explain(const struct account_failure *f, char *buf, size_t size);

#endif
