/* SPDX-License-Identifier: MIT */
/*
 * What the kernel programs and user space share: keys and values of the pinned maps. Fixed-width
 * types, no padding left to the compiler. Any change of meaning or layout here is a new
 * ACCOUNT_ABI, hence a new directory of pins.
 */
#ifndef PORTUNUS_BPF_ACCOUNT_H
#define PORTUNUS_BPF_ACCOUNT_H

#include <linux/types.h>

#include "bpf/record.h"

#ifndef ACCOUNT_ABI /* a test builds the next one */
#define ACCOUNT_ABI 1
#endif
#define ACCOUNT_TARGETS_MAX 131072
#define ACCOUNT_SCOPE_LEN   32
#define ACCOUNT_NAME_LEN    72

#define ACCOUNT_INDEX_NONE    255 /* the record of a rule's connections that never got a target */
#define ACCOUNT_INDEX_REMOVED 254 /* the sum of a rule's former targets */

/* Which end of a relayed connection a socket is. */
enum account_side {
	/*
	 * Towards the client, target not chosen yet: a listener, and what it accepts. .slot is the
	 * target that is chosen when nothing goes wrong, or 0. It counts as chosen once the socket
	 * was read from or has sent something: the edge does neither before it has a target, and
	 * sets another tag first if that is another one. So the usual connection is tagged by
	 * inheritance alone.
	 */
	ACCOUNT_PENDING = 1,
	ACCOUNT_CLIENT = 2,   /* towards the client, on behalf of the target in .slot */
	ACCOUNT_UPSTREAM = 3, /* towards the target in .slot */
};

/* Set in the folded figures below once a socket is closed: no later fold can match them. */
#define ACCOUNT_FINAL (1ull << 63)

enum account_flag {
	ACCOUNT_F_ACTIVE_OPEN = 1 << 0, /* bytes_acked counts our SYN */
	ACCOUNT_F_ATTEMPTED = 1 << 1,
	ACCOUNT_F_ESTABLISHED = 1 << 2,
	ACCOUNT_F_LIMITED = 1 << 3, /* tx_limit is set */
	ACCOUNT_F_CLOSED = 1 << 4,
};

/* In the flags of an upstream socket: how many bytes of the edge's own precede the client's (a header of
 * the PROXY protocol). They are not counted. */
#define ACCOUNT_PRELUDE_SHIFT 8
#define ACCOUNT_PRELUDE_MASK  0xffu

/* In the flags of a client's socket: how many bytes a balancer's header had, which came before the
 * client's. They are not counted either. */
#define ACCOUNT_HEADER_SHIFT 16
#define ACCOUNT_HEADER_MASK  0x3ffu

/* In the flags of an upstream socket's first tag: which worker's thread is about to connect it. */
#define ACCOUNT_WORKER_SHIFT 16
#define ACCOUNT_WORKERS_MAX  64

/*
 * What a worker leaves for the program that runs in its next connect(): whose bytes that socket will
 * carry. Saves the system call that tags a socket. The program takes a hint by clearing it. One
 * cache line each, mapped into the process.
 */
struct account_hint {
	__u64 slot;    /* 0: none */
	__u64 known;   /* the program knows the worker's thread, hints are taken */
	__u64 prelude; /* as ACCOUNT_PRELUDE_SHIFT has it */
	__u64 reserved[5];
};

/*
 * What `sockets` keeps of one socket: whose it is, written by user space, and what is counted of it
 * already, written by the kernel programs. One value and not two, because a socket's storage is
 * looked up, allocated and freed for each. User space writes it whole (of an upstream socket, or the
 * program does by a worker's hint), and only while the programs have nothing to say: before listen() or connect(), and to an accepted socket that was neither read
 * from nor written to. What a listener accepts begins with a copy of the listener's, whose second
 * part is never written.
 */
struct account_socket {
	__u64 rule_id;
	__u64 slot;	  /* key in `targets` */
	__u64 unassigned; /* of a pending socket: where what closes without a target is counted */
	__u32 side;	  /* enum account_side */

	__u32 flags; /* enum account_flag */
	__u64 tx;    /* what of each figure is in the target's record already */
	__u64 rx;
	__u64 retransmits;
	__u64 tx_limit; /* payload that can ever be acknowledged; known once our FIN is queued */
	__u64 born_ns; /* CLOCK_MONOTONIC at SYN (connecting) or established (accepted); 0: neither */
};

#define ACCOUNT_NO_LIMIT (~ACCOUNT_FINAL)

/*
 * One record of `targets`. The first part is written once, by the insert of user space; after that
 * only the kernel programs write, until no socket carries the record's number any more: then user
 * space makes it its rule's "(removed)" record, or deletes it.
 */
#define ACCOUNT_FIGURE(name, kind)	    __u64 name;
#define ACCOUNT_FIGURE_ARRAY(name, kind, n) __u64 name[n];

struct account_target {
	char scope[ACCOUNT_SCOPE_LEN]; /* whose rule ids these are */
	char name[ACCOUNT_NAME_LEN];   /* "host:port" */
	__u64 rule_id;
	__u16 listen_port;
	__u16 port;
	__u32 index; /* row in the rule */

	ACCOUNT_FIGURES(ACCOUNT_FIGURE, ACCOUNT_FIGURE_ARRAY)
};

/* The one entry of `meta`; only user space writes it. */
struct account_meta {
	__u64 layout;	 /* ACCOUNT_LAYOUT of who made the maps */
	__u64 next_slot; /* slots below were given out: numbers are not used twice */
};

#define ACCOUNT_LAYOUT                                                           \
	((__u64)ACCOUNT_ABI << 48 | (__u64)sizeof(struct account_target) << 32 | \
	 (__u64)sizeof(struct account_socket) << 16)

enum account_event_kind { ACCOUNT_CONNECT_FAILED = 1, ACCOUNT_RESET = 2 };

/* What the ring buffer carries. */
struct account_event {
	__u64 slot;
	__u32 kind;
	__u32 error;
};

/* What the `tagged` iterator prints for each socket: whose it is, and since when. */
struct account_tagged {
	__u64 slot;
	__u64 born_ns; /* 0: not connected, a listener among others */
};

#endif
