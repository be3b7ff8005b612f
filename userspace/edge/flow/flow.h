/* SPDX-License-Identifier: MIT */
/* A flow: the datagrams between one client and one local address of a rule, and their target. */
#ifndef PORTUNUS_EDGE_FLOW_FLOW_H
#define PORTUNUS_EDGE_FLOW_FLOW_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <uthash.h>

#include "edge/flow/datagram.h"
#include "edge/flow/limits.h"
#include "edge/loop/loop.h"
#include "edge/loop/slab.h"
#include "edge/resolve/waiter.h"
#include "edge/target/service.h"

struct hops;
struct resolver;

/* What the flows of one worker share. Owned by its thread. */
struct flow_env {
	struct loop *loop;
	struct resolver *resolver;
	const struct flow_limits *limits;
	struct hops *hops; /* of the flows of all workers */
	unsigned worker;   /* its index */
	struct slab flows;
	struct datagram_batch batch; /* its buffers come with the first port */
	bool has_batch;
	uint64_t seed; /* of the table's hash: nobody outside can choose who collides */
	LIST_HEAD(, flow_port) ports;
	struct resolve_inbox inbox; /* flows whose name has news */
	struct job names;	    /* that there are some */
	LIST_HEAD(, flow_check) checks;
	unsigned fd_limit; /* of the process; flows leave a reserve below it */
};

/* Who talks to which of our addresses and ports. IPv4 as mapped; zeros where there is nothing. */
struct flow_key {
	struct in6_addr client, local;
	uint32_t scope;
	uint16_t port;	      /* the client's, as in a packet */
	uint16_t listen_port; /* ours */
};

/* First datagrams of a flow, kept until a target has answered: another one may have to get them. */
struct held {
	STAILQ_ENTRY(held) next;
	size_t len;
	uint16_t segment;
	uint8_t data[];
};

enum flow_state { FLOW_WAITING /* for a name */, FLOW_OPEN, FLOW_CLOSED };

/* One flow. Owned by its port; lives from the first datagram to an error or to idleness. */
struct flow {
	struct io io; /* of fd */
	struct flow_env *env;
	struct flow_port *port;
	struct flow_socket *via; /* the one that answers leave by */
	UT_hash_handle hh;
	struct flow_key key;
	TAILQ_ENTRY(flow) by_age;     /* of the last datagram, either way */
	TAILQ_ENTRY(flow) once;	      /* those of whose client one datagram has come */
	struct resolve_waiter waiter; /* for its target's name */
	union addr client;
	struct service *service; /* the version by which its target was chosen; a reference */
	struct service *entered; /* the version whose envelopes count it; a reference */
	struct target *target;	 /* a reference; NULL before the first is tried */
	struct timer timer;	 /* of a name, or of an answer */
	STAILQ_HEAD(, held) held;
	const uint8_t *order;		     /* in which rows are tried, once the walk has begun */
	uint8_t own_order[RULE_TARGETS_MAX]; /* where that is this flow's own */
	uint64_t opened_ns, active_ns, deadline_ns;
	uint64_t datagrams_in, datagrams_out, bytes_in, bytes_out;
	uint64_t unsettled_bytes; /* sent, and not counted for the target yet */
	uint32_t unsettled;	  /* datagrams, likewise */
	uint32_t held_bytes;
	int fd; /* connected to the target; -1 */
	uint8_t state;
	uint8_t slot;	 /* of fd with the loop: another one for each */
	uint8_t tried;	 /* rows, a bit each */
	uint8_t row;	 /* of target */
	uint8_t address; /* of the target's name: the next one to try */
	uint8_t n_held;
	uint8_t hops; /* rules of this edge that its datagrams have passed before */
	bool replied; /* the target has */
	bool is_once; /* on that list */
	bool settled; /* nothing is held: what is sent is counted at once */
	struct deferred_free deferred;
};

/* A UDP socket of one port of a rule. */
struct flow_socket {
	struct io io;
	struct flow_port *port;
	LIST_ENTRY(flow_socket) entry;
	int fd;
	uint16_t number; /* of the port */
	struct deferred_free deferred;
};

/* A rule's UDP ports and flows on one worker. Owned by its thread. */
struct flow_port {
	struct flow_env *env;
	struct service *service; /* the version that new flows get */
	LIST_HEAD(, flow_socket) sockets;
	struct flow *table;
	TAILQ_HEAD(, flow) by_age;	  /* the most idle first */
	TAILQ_HEAD(flow_list, flow) once; /* the oldest first */
	struct timer sweep;
	LIST_ENTRY(flow_port) entry;
};

/* The flow of a client and a local address at the socket's port, NULL for none. */
struct flow *flow_find(const struct flow_socket *s, const union addr *client,
		       const struct in6_addr *local);

/*
 * A new flow without a target: FLOW_WAITING, not on the list of those that wait. NULL where the rule
 * has as many as it may (one that a single datagram made more than 2 s ago is replaced), or memory or
 * descriptors run out.
 */
struct flow *flow_new(struct flow_socket *s, const union addr *client,
		      const struct in6_addr *local);

/* A datagram has come or gone: the flow is the least idle one. */
void flow_touch(struct flow *f);
/* The client has sent again: this is no stray or forged datagram. */
void flow_seen_again(struct flow *f);

/* Ends it at once. The memory goes after the loop's batch. */
void flow_close(struct flow *f);

/* Closes the socket to the target and lets go of that, without a verdict. */
void flow_leave_target(struct flow *f);

/* Keeps a copy of a datagram until the target has answered; false and counted when there is no room. */
bool flow_hold(struct flow *f, const struct datagram *d);
void flow_drop_held(struct flow *f);

/*
 * Counts what was sent to the target. Until a flow is settled another target may get the same
 * datagrams again, so that they are counted only then, and once.
 */
void flow_count_in(struct flow *f, const struct datagram_sent *sent);
void flow_settle(struct flow *f);
/* The target has refused what was sent: that counts for nobody. */
void flow_uncount(struct flow *f);

/* How long a flow of this rule may be idle. */
uint64_t flow_idle_ns(const struct flow_port *p);

static inline struct rule_totals *flow_totals(const struct flow *f)
{
	return f->port->service->totals;
}

/* What this worker counts of the flow's rule, and of its target. */
static inline struct totals_cell *flow_totals_cell(const struct flow *f)
{
	return totals_cell(flow_totals(f), f->port->env->worker);
}

/* Of the port that the client came by; NULL: ports are not counted. */
static inline struct port_cell *flow_port_cell(const struct flow *f)
{
	return totals_port(flow_totals(f), f->port->env->worker, f->key.listen_port);
}

static inline struct target_cell *flow_target_cell(const struct flow *f)
{
	return target_cell(f->target, f->port->env->worker);
}

#endif
