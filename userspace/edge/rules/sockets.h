/* SPDX-License-Identifier: MIT */
/* The sockets of a rule's ports: all that are wanted or none, on their way to the workers. */
#ifndef PORTUNUS_EDGE_RULES_SOCKETS_H
#define PORTUNUS_EDGE_RULES_SOCKETS_H

#include <stdint.h>

#include "lib/rule/span.h"

struct bind_want;
struct listening;
struct rule_state;

/* All zero: none. */
struct sockets {
	struct listening *all;
	unsigned n, each; /* each: for a port */
	uint16_t port;	  /* the one at fault, after an error */
};

/*
 * Opens @each sockets for each of @ports, but for those in @have (NULL: none are). Returns 0; or -errno
 * with none open and the port in @s: -EMFILE before any is opened where the descriptors up to @fd_limit
 * would not do. Main thread, as all of it.
 */
int sockets_open(struct sockets *s, const struct bind_want *want, struct span ports,
		 const struct span *have, unsigned each, unsigned fd_limit);
/* Whether nobody else listens at them, and the rule may: 0, or -errno with the port in @s. Opens nothing. */
int sockets_probe(struct sockets *s, const struct rule *rule, struct span ports,
		  const struct span *have, uint16_t but);
/* Hands them to the workers, which serve them by the rule's version in force. */
void sockets_hand_over(struct sockets *s, struct rule_state *rs);
/* Closes them. */
void sockets_drop(struct sockets *s);

#endif
