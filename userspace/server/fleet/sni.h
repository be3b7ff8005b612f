/* SPDX-License-Identifier: MIT */
/* Ports of an edge that route by server name: whose rules they are, and what the edge counts of them. */
#ifndef PORTUNUS_SERVER_FLEET_SNI_H
#define PORTUNUS_SERVER_FLEET_SNI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fleet_client;
struct fleet_rule;
struct rule;

#define SNI_BUCKETS 15

/* The upper bounds of the histogram, in seconds. */
extern const double sni_bounds[SNI_BUCKETS];

/* What an edge reports of one port. */
struct sni_figures {
	uint32_t port;
	uint64_t missed, failed, rejected; /* no rule, no ClientHello, too many waited for */
	uint64_t bucket[SNI_BUCKETS];	   /* up to each bound */
	uint64_t took_us, n;
};

/* Takes what was reported in; ports without a pattern of this client's are left out. */
void sni_take(struct fleet_client *c, const struct sni_figures *ports, size_t n);
/* The last report of a port, NULL: none. */
const struct sni_figures *sni_figures_of(const struct fleet_client *c, uint16_t port);

/* Whether a rule of that client on that TCP port has a pattern. */
bool sni_is_port(const struct fleet_client *c, uint16_t port);
/* Whether clients are led to the rule by their server name, or for want of one. */
bool sni_is_routed(const struct fleet_rule *r);

/* Who else is at a port: one of each kind, or NULL. */
struct sni_neighbours {
	const struct rule *plain, *named, *same, *apart;
};

/* Notes @has, which @rule may meet at its port. */
void sni_meet(struct sni_neighbours *n, const struct rule *has, const struct rule *rule);
/*
 * The code that keeps @rule from its port, and the rule that is in its way; NULL: it may have it.
 * @switches: the edge makes a port with one rule one that routes, and back.
 */
const char *sni_conflict(const struct sni_neighbours *n, const struct rule *rule, bool switches,
			 const struct rule **other);

#endif
