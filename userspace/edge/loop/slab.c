// SPDX-License-Identifier: MIT
/* A slab of equal, cache-line aligned objects. */
#include "edge/loop/slab.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN	    64
#define CHUNK_BYTES (64 * 1024)

void slab_init(struct slab *s, size_t size)
{
	memset(s, 0, sizeof(*s));
	s->size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

/* The first cache line of a chunk links the chunks; objects fill the rest. */
static int grow(struct slab *s)
{
	char *chunk = aligned_alloc(ALIGN, CHUNK_BYTES);

	if (!chunk)
		return -1;
	*(void **)chunk = s->chunks;
	s->chunks = chunk;
	for (size_t at = ALIGN; at + s->size <= CHUNK_BYTES; at += s->size) {
		*(void **)(chunk + at) = s->free;
		s->free = chunk + at;
	}
	return 0;
}

void *slab_alloc(struct slab *s)
{
	void *object;

	if (!s->free && grow(s) < 0)
		return NULL;
	object = s->free;
	s->free = *(void **)object;
	s->in_use++;
	return memset(object, 0, s->size);
}

void slab_free(struct slab *s, void *object)
{
	*(void **)object = s->free;
	s->free = object;
	s->in_use--;
}

void slab_close(struct slab *s)
{
	while (s->chunks) {
		void *next = *(void **)s->chunks;

		free(s->chunks);
		s->chunks = next;
	}
	s->free = NULL;
}
