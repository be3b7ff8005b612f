/* SPDX-License-Identifier: MIT */
/* What makes a target the same one after a restart. */
#ifndef PORTUNUS_EDGE_ACCOUNT_IDENTITY_H
#define PORTUNUS_EDGE_ACCOUNT_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

struct account_target;

/* What identifies a target over restarts of the edge; all equal or it is another one. */
struct account_key {
	uint64_t rule_id;
	uint16_t listen_port;
	uint16_t port;
	const char *host; /* NULL: the rule's record of what closed before a target was chosen */
	uint8_t index;	  /* row in the rule; only shown */
};

/* The record of one target before anything was counted: only the identifying members are set. */
void account_identity(struct account_target *t, const char *scope, const struct account_key *key);
bool account_identity_equal(const struct account_target *a, const struct account_target *b);
uint64_t account_identity_hash(const struct account_target *t);
/* Of a rule, whatever its port: what all its records have in common. */
uint64_t account_rule_hash(const char *scope, uint64_t rule_id);

#endif
