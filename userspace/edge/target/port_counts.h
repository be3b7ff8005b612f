/* SPDX-License-Identifier: MIT */
/* What a rule with a range got by each of its ports: counted by the workers, added up on demand. */
#ifndef PORTUNUS_EDGE_TARGET_PORT_COUNTS_H
#define PORTUNUS_EDGE_TARGET_PORT_COUNTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* One port, as one worker counts it; only its thread writes. */
struct port_cell {
	atomic_ullong bytes_in, bytes_out, datagrams_in, datagrams_out, active;
};

struct port_page;

/* One worker's cells. Pages come with the first client by one of their ports, so a long range whose ports
 * are idle costs next to nothing, and the ends of a range may move. */
struct port_counts {
	_Atomic(struct port_page *) page[1024];
};

struct port_sums {
	uint64_t bytes_in, bytes_out, datagrams_in, datagrams_out, active;
};

/* Of @n workers, all zero; NULL for memory. */
struct port_counts *port_counts_new(unsigned n);
void port_counts_free(struct port_counts *all, unsigned n);

/* The calling worker's cell for @port; NULL for memory: then that port is not counted. */
struct port_cell *port_counts_cell(struct port_counts *mine, uint16_t port);

/* All workers' figures of a port; false: nothing was counted. Any thread. */
bool port_counts_sum(const struct port_counts *all, unsigned n, uint16_t port,
		     struct port_sums *out);

#endif
