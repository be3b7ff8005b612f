/* SPDX-License-Identifier: MIT */
/* Moving the bytes of one direction: copied while they come small, spliced while they come big. */
#ifndef PORTUNUS_EDGE_RELAY_RELAY_H
#define PORTUNUS_EDGE_RELAY_RELAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edge/relay/pipe.h"

#define RELAY_COPY_BYTES (64 * 1024)

/* What one worker's relays share. Owned by its thread. */
struct relay_env {
	struct pipe_pool pool;
	uint8_t *buf;		  /* RELAY_COPY_BYTES */
	atomic_bool no_splice;	  /* bulk is copied, too; read by others */
	uint64_t spliced, copied; /* bytes */
};

/* Bytes that were read but not yet taken by the receiver's socket. */
struct leftover {
	uint32_t at, len;
	uint8_t bytes[];
};

/*
 * One direction of a connection. Edge-triggered: READABLE and WRITABLE stay set until the kernel
 * said otherwise. All zero: nothing known, nothing held.
 */
struct direction {
	union { /* what was read but not written yet, as @holds says */
		struct pipe *pipe;
		struct leftover *left;
	};
	uint64_t bytes; /* written to the receiver's socket */
	uint16_t flags;
	uint8_t holds;
	uint8_t streak; /* full reads while copying, small splices while splicing */
	uint32_t
		delivered; /* the owner's: of @bytes (modulo 2^32), acknowledged at its last look */
};

enum direction_holds { HOLDS_NOTHING, HOLDS_PIPE, HOLDS_LEFTOVER };

enum direction_flag {
	DIR_READABLE = 1 << 0,
	DIR_WRITABLE = 1 << 1,
	DIR_EOF = 1 << 2,     /* the sender's end, FIN or RST, was read: nothing more comes */
	DIR_RESET = 1 << 3,   /* the sender's end is a RST or an error: not passed on as FIN */
	DIR_OVER = 1 << 4,    /* nothing more to do in this direction */
	DIR_BULK = 1 << 5,    /* splicing */
	DIR_FIN = 1 << 6,     /* an event told of the sender's FIN: a short read is the last one */
	DIR_UNSURE = 1 << 7,  /* … of an error or urgent data: a short read proves nothing */
	DIR_NODELAY = 1 << 8, /* set TCP_NODELAY on the receiver before its second write */
};

enum relay_result {
	RELAY_BLOCKED, /* until one of the sockets is ready again */
	RELAY_AGAIN,   /* this turn's share is used up */
	RELAY_SPENT,   /* the budget is, and there may be more to read */
	RELAY_DONE,    /* the sender has ended, and all it sent is with the receiver's socket */
	RELAY_BROKEN,  /* the receiver's socket took an error: nothing can be delivered any more */
};

/*
 * Moves bytes from @src to @dst: a bounded share of work. Small traffic is copied through the
 * worker's buffer; after two full reads in a row the direction is spliced through a pooled pipe, until
 * four splices in a row were small. Passing on the sender's end is the caller's. At most *@budget bytes
 * are read from @src, and it is lessened by what was. Worker's thread.
 */
enum relay_result relay_pump(struct relay_env *env, struct direction *h, int src, int dst,
			     uint64_t now_ns, size_t *budget);

/*
 * Whether the kernel answers @err (positive) to every splice(2) of this process, as under a seccomp
 * profile that lacks it: then bulk has to be copied. With 0: whether it answers so to one made now.
 */
bool relay_splice_refused(int err);

/* Gives back what the direction holds; bytes in it are lost. */
void relay_drop(struct relay_env *env, struct direction *h);

#endif
