/* SPDX-License-Identifier: MIT */
/* A slab of equal, cache-line aligned objects. */
#ifndef PORTUNUS_EDGE_LOOP_SLAB_H
#define PORTUNUS_EDGE_LOOP_SLAB_H

#include <stddef.h>

/*
 * Objects of one size, 64-byte aligned, without a header each: what an idle connection costs is its
 * size and nothing else. Freed objects are kept for reuse; chunks go back only at slab_close().
 * Owned by one thread.
 */
struct slab {
	size_t size; /* rounded up to a multiple of 64 */
	void *free;  /* chain through the first word */
	void *chunks;
	size_t in_use;
};

void slab_init(struct slab *s, size_t size);
/* An object of all zeros, or NULL. */
void *slab_alloc(struct slab *s);
void slab_free(struct slab *s, void *object);
void slab_close(struct slab *s);

#endif
