/* SPDX-License-Identifier: MIT */
/* What a rule's connections, flows and checks go out from: address, interface, congestion control. */
#ifndef PORTUNUS_EDGE_TARGET_SOURCE_H
#define PORTUNUS_EDGE_TARGET_SOURCE_H

#include <net/if.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "lib/base/addr.h"

struct rule;

/* One version of a rule's. Never changed; counted references. */
struct source {
	atomic_uint refs;
	union addr v4, v6;	  /* sa_family 0: the kernel chooses */
	char interface[IFNAMSIZ]; /* empty: by the route */
	char congestion[16];	  /* empty: the host's */
};

/* Sets *out, to NULL where the rule says nothing of it. 0 or -ENOMEM. */
int source_new(const struct rule *rule, struct source **out);

static inline struct source *source_ref(struct source *s)
{
	if (s)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}
void source_unref(struct source *s);

/*
 * Prepares a socket that is about to connect to an address of @family. 0, or -EADDRNOTAVAIL: this host
 * no longer has what the rule asks for, which is no fault of a target. @s may be NULL.
 */
int source_apply(const struct source *s, int fd, int family, bool tcp);

/*
 * What a failed connect(2) to an address of @family means, @err as it came back at once (-errno): without a
 * way from where the rule says, it is this host that lacks one. @s may be NULL.
 */
int source_error(const struct source *s, int family, int err);

/* Gives a socket that congestion control; "" or NULL: the host's own. 0 or -errno. */
int source_set_congestion(int fd, const char *name);

/*
 * Whether this host has what the rule asks for: NULL, or the reason of a failed activation, with *hint
 * what to do about it. Main thread.
 */
const char *source_lacking(const struct rule *rule, const char **hint);

#endif
