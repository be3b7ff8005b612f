/* SPDX-License-Identifier: MIT */
/* A connection's life: what it holds from the accepted socket on, and its one exit. */
#ifndef PORTUNUS_EDGE_CONN_CORE_H
#define PORTUNUS_EDGE_CONN_CORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "edge/admit/permit.h"
#include "edge/loop/loop.h"
#include "edge/loop/slab.h"
#include "edge/relay/relay.h"
#include "edge/target/dial.h"
#include "edge/target/path.h"
#include "edge/target/service.h"

struct account;
struct conn;
struct peek;
struct intake;
struct walk;

/* Where somebody goes on in the list of connections; moved along when that one closes. */
struct conn_cursor {
	LIST_ENTRY(conn_cursor) entry;
	struct conn *next;
};

/* What was acknowledged of a connection since user space no longer relays it, by direction. */
struct conn_figures {
	uint64_t bytes_in, bytes_out;
};

/* The part above that takes connections out of user space. Owned by the worker's thread. */
struct conn_kernel {
	/* Nothing is to be done for @c at the moment. Afterwards it may be in state CONN_KERNEL. */
	void (*offer)(struct conn_kernel *k, struct conn *c);
	/* One that has a slot is closing. */
	void (*ended)(struct conn_kernel *k, struct conn *c);
	void (*figures)(struct conn_kernel *k, const struct conn *c, struct conn_figures *out);
};

/* What the connections of one worker share. Owned by its thread. */
struct conn_env {
	struct loop *loop;
	struct account *account;
	struct dial_env dials;
	struct relay_env relay;
	struct conn_kernel *kernel; /* NULL: there is none */
	struct slab conns, walks, peeks;
	struct permits permits;
	LIST_HEAD(, conn) all;	   /* the youngest first */
	LIST_HEAD(, walk) walking; /* the walks of those that have no target yet */
	LIST_HEAD(, peek) peeking; /* those that have no rule yet (peek.c) */
	LIST_HEAD(, intake)
	waiting; /* those whose balancer has not said its header yet (intake.c) */
	const atomic_bool *no_sni_alert; /* clients that no rule wants are not told why; or NULL */
	struct walk *look_next; /* where conn_health_changed() goes on; moved along as well */
	struct work look;
	atomic_uint
		n; /* of these, and of those without a rule; written by its thread, read by others */
	bool fast_syn;
	LIST_HEAD(, conn_cursor) cursors;
	struct conn_cursor sweep;
	uint32_t sweep_limit_ms; /* see conn_sweep() */
	uint32_t sweep_late_ms;	 /* so long nobody was here to look, before this round */
};

/* Who the client is, where that is wanted for the log or the socket does not say it. */
struct conn_peer {
	union addr client, local;
	bool announced; /* by a balancer */
};

enum conn_state { CONN_DIALLING, CONN_RELAYING, CONN_KERNEL, CONN_ABORTING, CONN_CLOSED };

/* Direction and leg share an index: direction[CLIENT] carries what the client sends. */
enum { CLIENT, TARGET };

/* The slot of the client's socket (struct io); dials have those above. */
#define CONN_CLIENT_SLOT 0

/* One client's connection. Owned by its worker's thread; looked into by edge/conn only. */
struct conn {
	struct io io;
	struct conn_env *env;
	LIST_ENTRY(conn) entry;
	struct service *service;
	struct target *target; /* once connected */
	union {
		struct {
			union {
				/* While dialling: ends that, if it goes on. Called once, by conn_close();
				 * sets itself back to NULL. */
				void (*end)(struct conn *c, enum end_reason reason);
				struct permit *permit; /* after that; NULL: never had to wait */
			};
			union {
				struct walk *walk;	/* while dialling */
				struct conn_peer *peer; /* after that; see conn_peer_of() */
			};
		};
		struct deferred_free deferred; /* when closed */
	};
	struct work work;
	struct timer timer;
	struct direction direction[2];
	int fd[2];
	uint32_t started_ms; /* by conn_now_ms(); wraps after 49 days, and so does an age */
	uint32_t active_ms;  /* when the last byte moved that is known of; see idle_left_ms() */
	uint32_t listen_port : 16; /* of the rule's ports, the one that the client came by */
	uint32_t state : 3;	   /* enum conn_state */
	uint32_t slot : 6;	   /* of the target's fd */
	uint32_t hops : 4;	   /* rules of this edge that its bytes have passed before */
	uint32_t swept : 1;
	uint32_t dead_leg : 1;	   /* the leg whose end is being passed on as a RST */
	uint32_t by_port : 1;	   /* counted as open at its port */
	uint32_t match : 3;	   /* enum sni_match: how it got to its rule; 0: its port has one */
	uint32_t path : 5;	   /* enum path_reason: why it is not relayed by the kernel */
	uint32_t path_final : 1;   /* and never will be */
	uint32_t tries : 5;	   /* turns that found nothing more to do */
	uint32_t kernel_slot : 17; /* of the kernel relay, + 1 */
	union {
		uint32_t silent_ms[2]; /* while relaying: by leg, see peer_is_dead(); 0 for not */
		struct {	       /* once a leg was reset */
			uint32_t delivered; /* of what it sent, to the other leg's peer */
			uint32_t since_ms;  /* how long that has been as it is */
		} stall;
	};
};

/* What an idle connection costs (Documentation/performance.md). */
_Static_assert(sizeof(struct conn) <= 192, "a connection fits three cache lines");
_Static_assert(PATH_REASONS <= 32 && IO_SLOTS <= 64, "the bits above hold them");

/* The loop's clock in milliseconds. */
static inline uint32_t conn_now_ms(const struct conn_env *env)
{
	return (uint32_t)(env->loop->now_ns / NS_PER_MS);
}

/*
 * A connection in state CONN_DIALLING for an accepted socket, which it takes over; counted and in the
 * list. NULL where the caps of its rule or owner refuse it, where the rule was removed and its time to drain
 * is over, or without memory: then the socket is closed with a RST, and that is counted.
 */
struct conn *conn_open(struct conn_env *env, struct service *service, int fd);

/*
 * A connection that an earlier process began and the kernel has relayed since, in state CONN_KERNEL.
 * Takes over @fd; not counted as accepted. NULL without memory: nothing was taken over.
 */
struct conn *conn_adopt(struct conn_env *env, struct service *service, struct target *target,
			const int fd[2], uint32_t started_ms);

/* Which of the rule's ports it came by (0: the first), and that it is open there. Once. */
void conn_note_port(struct conn *c, uint16_t port);

/* Counts a client's socket as accepted and as ended for @reason, and closes it with a RST. */
void conn_refuse(struct conn_env *env, const struct service *service, int fd,
		 enum end_reason reason);

/* RFC 9293 3.10.4 and socket(7): SO_LINGER with zero time makes close() send a RST. */
void close_with_rst(int fd);

/* What this worker counts of the connection's rule, and of its target. */
static inline struct totals_cell *conn_totals(const struct conn *c)
{
	return totals_cell(c->service->totals, c->env->dials.worker);
}

static inline struct target_cell *conn_target_cell(const struct conn *c)
{
	return target_cell(c->target, c->env->dials.worker);
}

/* What it counts of the port that its client came by; NULL: nothing. */
static inline struct port_cell *conn_port_cell(const struct conn *c)
{
	return totals_port(c->service->totals, c->env->dials.worker, c->listen_port);
}

/* The only exit. An end that was not orderly is passed on as a RST to whoever is still there. */
void conn_close(struct conn *c, enum end_reason reason);

#endif
