// SPDX-License-Identifier: MIT
/* A port that routes by server name: what it counts, and how many clients may be about to say theirs. */
#include "edge/conn/sni_port.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "edge/target/cells.h"
#include "lib/base/clock.h"

#define HASH_SIZE 1024
#define NONE	  UINT16_MAX

const uint32_t sni_bucket_us[SNI_BUCKETS] = {100,    250,    500,     1000,    2500,
					     5000,   10000,  25000,   50000,   100000,
					     250000, 500000, 1000000, 2000000, 3000000};

/* Of one worker, whose thread alone writes it. */
struct cell {
	atomic_ullong missed, failed, rejected, took_us, n;
	atomic_ullong bucket[SNI_BUCKETS]; /* those of it alone */
} __attribute__((aligned(64)));

/* Who has places, and how many. */
struct holder {
	struct sni_source source;
	uint16_t n, next; /* in the chain of its hash, or of those that are free */
};

struct sni_port {
	atomic_uint refs;
	uint16_t port;
	unsigned n_cells;
	struct cell *cells; /* by worker */

	pthread_mutex_t lock; /* of what follows */
	unsigned taken;
	uint16_t free, chain[HASH_SIZE];
	struct holder holder[SNI_PEEKS_MAX];
};

struct sni_port *sni_port_new(uint16_t port, unsigned n_workers)
{
	struct sni_port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->cells = aligned_alloc(64, n_workers * sizeof(struct cell));
	if (!p->cells) {
		free(p);
		return NULL;
	}
	memset(p->cells, 0, n_workers * sizeof(struct cell));
	p->n_cells = n_workers;
	p->refs = 1;
	p->port = port;
	pthread_mutex_init(&p->lock, NULL);
	memset(p->chain, 0xff, sizeof(p->chain));
	for (uint16_t i = 0; i < SNI_PEEKS_MAX; i++)
		p->holder[i].next = i + 1 < SNI_PEEKS_MAX ? i + 1 : NONE;
	return p;
}

struct sni_port *sni_port_ref(struct sni_port *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void sni_port_unref(struct sni_port *p)
{
	if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p->cells);
	free(p);
}

uint16_t sni_port_number(const struct sni_port *p)
{
	return p->port;
}

struct sni_sums sni_port_sum(const struct sni_port *p)
{
	struct sni_sums s = {0};

	for (unsigned i = 0; i < p->n_cells; i++) {
		const struct cell *c = &p->cells[i];
		uint64_t below = 0;

		s.missed += atomic_load_explicit(&c->missed, memory_order_relaxed);
		s.failed += atomic_load_explicit(&c->failed, memory_order_relaxed);
		s.rejected += atomic_load_explicit(&c->rejected, memory_order_relaxed);
		s.took_us += atomic_load_explicit(&c->took_us, memory_order_relaxed);
		for (unsigned b = 0; b < SNI_BUCKETS; b++) {
			below += atomic_load_explicit(&c->bucket[b], memory_order_relaxed);
			s.bucket[b] += below;
		}
		/* Last, as it was written first: so no bucket has more. */
		atomic_thread_fence(memory_order_acquire);
		s.n += atomic_load_explicit(&c->n, memory_order_relaxed);
	}
	return s;
}

/* ---- places ---- */

struct sni_source sni_source_of(const union addr *peer)
{
	struct sni_source s = {{0}};

	if (peer->sa.sa_family == AF_INET) {
		s.bytes[0] = 4;
		memcpy(s.bytes + 1, &peer->v4.sin_addr, 4);
	} else if (IN6_IS_ADDR_V4MAPPED(&peer->v6.sin6_addr)) {
		s.bytes[0] = 4;
		memcpy(s.bytes + 1, peer->v6.sin6_addr.s6_addr + 12, 4);
	} else {
		s.bytes[0] = 6;
		memcpy(s.bytes + 1, peer->v6.sin6_addr.s6_addr, 8);
	}
	return s;
}

/* No more than SNI_PEEKS_MAX can be in a chain, and nobody gains by making one long. */
static uint16_t *chain_of(struct sni_port *p, const struct sni_source *source)
{
	uint32_t hash = 2166136261u;

	for (unsigned i = 0; i < SNI_SOURCE_BYTES; i++)
		hash = (hash ^ source->bytes[i]) * 16777619u;
	return &p->chain[(hash ^ hash >> 16) % HASH_SIZE];
}

/* Where the chain names @source, or its end. */
static uint16_t *place_of(struct sni_port *p, const struct sni_source *source)
{
	uint16_t *at = chain_of(p, source);

	while (*at != NONE && memcmp(&p->holder[*at].source, source, sizeof(*source)) != 0)
		at = &p->holder[*at].next;
	return at;
}

static bool take_place(struct sni_port *p, const struct sni_source *source)
{
	uint16_t *at, i;

	if (p->taken == SNI_PEEKS_MAX)
		return false;
	at = place_of(p, source);
	if (*at == NONE) {
		i = p->free;
		p->free = p->holder[i].next;
		p->holder[i] = (struct holder){.source = *source, .next = NONE};
		*at = i;
	}
	if (p->holder[*at].n == SNI_PER_SOURCE)
		return false;
	p->holder[*at].n++;
	p->taken++;
	return true;
}

bool sni_port_enter(struct sni_port *p, unsigned worker, const struct sni_source *source)
{
	bool taken;

	pthread_mutex_lock(&p->lock);
	taken = take_place(p, source);
	pthread_mutex_unlock(&p->lock);
	if (!taken)
		cell_add(&p->cells[worker].rejected, 1);
	return taken;
}

void sni_port_leave(struct sni_port *p, unsigned worker, const struct sni_source *source,
		    uint64_t ns)
{
	struct cell *c = &p->cells[worker];
	uint64_t us = ns / NS_PER_US;
	unsigned b = 0;
	uint16_t *at, i;

	while (b < SNI_BUCKETS && us > sni_bucket_us[b])
		b++;
	cell_add(&c->n, 1);
	atomic_thread_fence(memory_order_release);
	if (b < SNI_BUCKETS)
		cell_add(&c->bucket[b], 1);
	cell_add(&c->took_us, us);

	pthread_mutex_lock(&p->lock);
	at = place_of(p, source);
	i = *at;
	p->taken--;
	if (--p->holder[i].n == 0) {
		*at = p->holder[i].next;
		p->holder[i].next = p->free;
		p->free = i;
	}
	pthread_mutex_unlock(&p->lock);
}

void sni_port_missed(struct sni_port *p, unsigned worker)
{
	cell_add(&p->cells[worker].missed, 1);
}

void sni_port_failed(struct sni_port *p, unsigned worker)
{
	cell_add(&p->cells[worker].failed, 1);
}
