/* SPDX-License-Identifier: MIT */
/* Where a rule listens, compared by value. */
#ifndef PORTUNUS_LIB_RULE_LISTEN_H
#define PORTUNUS_LIB_RULE_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

struct rule;

/*
 * Where a rule listens, by value: however its address is spelt. Sorted by rule_listen_compare() what
 * takes more comes first, so that of rules with one port an overlap is found between neighbours.
 */
struct rule_listen {
	uint16_t port, last; /* the first one and the last one */
	uint8_t protocol;    /* enum rule_protocol: TCP and UDP never meet */
	uint8_t family;	     /* 0 every address of both families, else 4 or 6 */
	uint8_t bytes[16];   /* of the address; all zero every address of its family */
	char interface[16];  /* empty: whichever the client comes by */
};

struct rule_listen rule_listen_of(const struct rule *r);
int rule_listen_compare(const struct rule_listen *a, const struct rule_listen *b);
/* Whether @a takes a port at an address that @b, which is no less choosy about addresses, wants too. */
bool rule_listen_covers(const struct rule_listen *a, const struct rule_listen *b);

/* Whether there is a client that both would take. Where an interface is named neither may cover the other. */
bool rule_listen_meets(const struct rule_listen *a, const struct rule_listen *b);

/* Whether the same listening sockets do for both rules: the same ports at the same address. */
bool rule_listens_alike(const struct rule *a, const struct rule *b);
/* Whether one can become the other while it listens: a common port at the same address. */
bool rule_listens_near(const struct rule *a, const struct rule *b);
/* Whether both would take an address of a common port. */
bool rule_listens_overlap(const struct rule *a, const struct rule *b);
/* Whether they cannot both be served: so, and it is not patterns that say which clients are whose. */
bool rule_listens_conflict(const struct rule *a, const struct rule *b);
/* The first port that both want, of two that overlap. */
uint16_t rule_listens_common(const struct rule *a, const struct rule *b);

#endif
