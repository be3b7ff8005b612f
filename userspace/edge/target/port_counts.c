// SPDX-License-Identifier: MIT
/* What a rule with a range got by each of its ports: counted by the workers, added up on demand. */
#include "edge/target/port_counts.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_PORTS 64

_Static_assert(PAGE_PORTS * 1024 == 65536, "every port has a cell");

struct port_page {
	struct port_cell cell[PAGE_PORTS];
};

struct port_counts *port_counts_new(unsigned n)
{
	return calloc(n, sizeof(struct port_counts));
}

void port_counts_free(struct port_counts *all, unsigned n)
{
	for (unsigned i = 0; all && i < n; i++)
		for (unsigned k = 0; k < 65536 / PAGE_PORTS; k++)
			free(atomic_load_explicit(&all[i].page[k], memory_order_relaxed));
	free(all);
}

struct port_cell *port_counts_cell(struct port_counts *mine, uint16_t port)
{
	_Atomic(struct port_page *) *at = &mine->page[port / PAGE_PORTS];
	struct port_page *page = atomic_load_explicit(at, memory_order_relaxed);

	if (!page) {
		page = calloc(1, sizeof(*page));
		/* Whoever adds up sees zeros in it, not what was there before. */
		atomic_store_explicit(at, page, memory_order_release);
	}
	return page ? &page->cell[port % PAGE_PORTS] : NULL;
}

#define get(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

bool port_counts_sum(const struct port_counts *all, unsigned n, uint16_t port,
		     struct port_sums *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; all && i < n; i++) {
		const struct port_page *page = atomic_load_explicit(&all[i].page[port / PAGE_PORTS],
								    memory_order_acquire);
		const struct port_cell *c = page ? &page->cell[port % PAGE_PORTS] : NULL;

		if (!c)
			continue;
		out->bytes_in += get(c->bytes_in);
		out->bytes_out += get(c->bytes_out);
		out->datagrams_in += get(c->datagrams_in);
		out->datagrams_out += get(c->datagrams_out);
		out->active += get(c->active);
	}
	return out->bytes_in || out->bytes_out || out->datagrams_in || out->datagrams_out ||
	       out->active;
}
