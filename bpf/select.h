/* SPDX-License-Identifier: MIT */
/* What the program that picks a worker for a new connection shares with the workers. */
#ifndef PORTUNUS_BPF_SELECT_H
#define PORTUNUS_BPF_SELECT_H

#include <linux/types.h>

#define SELECT_WORKERS_MAX 64

/* One worker's cell of the array, mapped into the process: a cache line for each writer. */
struct select_worker {
	/* Written by the program. */
	__u64 assigned; /* connections that were given to it, by their SYN */
	__u64 since_ns; /* when the first of those after .taken was */
	__u64 unused[6];

	/* Written by the worker's thread. Times are CLOCK_MONOTONIC. */
	__u64 turn_ns; /* when it last took events */
	__u64 taken;   /* .assigned at that time: those in it are seen to, or not here yet */
	__u32 busy;    /* it has not gone to sleep since */
	__u32 queued;  /* events that it took: so many are before a new one */
	__u32 open;    /* its connections */
	__u32 reserved;
	__u64 unused2[4];
};

#endif
