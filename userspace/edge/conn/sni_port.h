/* SPDX-License-Identifier: MIT */
/* A port that routes by server name: what it counts, and how many clients may be about to say theirs. */
#ifndef PORTUNUS_EDGE_CONN_SNI_PORT_H
#define PORTUNUS_EDGE_CONN_SNI_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/addr.h"

/* Clients of one port, over all workers, whose hello is being waited for; and of one source: an IPv4
 * address, or the 64 bits of an IPv6 address that a single host may have for itself (RFC 6177). */
#define SNI_PEEKS_MAX	 1024
#define SNI_PER_SOURCE	 64
#define SNI_BUCKETS	 15
#define SNI_SOURCE_BYTES 9

/* The upper bounds of the histogram, in microseconds. */
extern const uint32_t sni_bucket_us[SNI_BUCKETS];

/* Shared by the main thread and the workers; counted references. */
struct sni_port;

/* All workers' figures together. */
struct sni_sums {
	uint64_t missed;     /* hellos that no rule wants */
	uint64_t failed;     /* connections that brought no hello */
	uint64_t rejected;   /* … that were closed at once, because too many were waiting */
	uint64_t took_us, n; /* how long the hellos took, those that never came included */
	uint64_t bucket[SNI_BUCKETS]; /* of these, up to each bound */
};

/* Whose place one is. */
struct sni_source {
	uint8_t bytes[SNI_SOURCE_BYTES];
};

/* NULL for memory. */
struct sni_port *sni_port_new(uint16_t port, unsigned n_workers);
struct sni_port *sni_port_ref(struct sni_port *p);
void sni_port_unref(struct sni_port *p);
uint16_t sni_port_number(const struct sni_port *p);
struct sni_sums sni_port_sum(const struct sni_port *p);

struct sni_source sni_source_of(const union addr *peer);
/* Takes a place; false, and counted, when all are taken. Worker's thread, as the following. */
bool sni_port_enter(struct sni_port *p, unsigned worker, const struct sni_source *source);
/* Gives it back after @ns. */
void sni_port_leave(struct sni_port *p, unsigned worker, const struct sni_source *source,
		    uint64_t ns);

void sni_port_missed(struct sni_port *p, unsigned worker);
void sni_port_failed(struct sni_port *p, unsigned worker);

#endif
