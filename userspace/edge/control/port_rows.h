/* SPDX-License-Identifier: MIT */
/* Rows of a report for single ports of rules with a range. */
#ifndef PORTUNUS_EDGE_CONTROL_PORT_ROWS_H
#define PORTUNUS_EDGE_CONTROL_PORT_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/wire/portunus.pb-c.h"

struct rule_state;

/* Which ports of a rule a report has rows for. */
enum port_choice {
	PORTS_NONE,
	PORTS_USED, /* those by which something came */
	PORTS_ALL,  /* of the range, as existing servers expect it */
};

/* Rows of one message. All zero: none. */
struct port_rows {
	Portunus__V1__PerPortStats *row;
	Portunus__V1__PerPortStats *
		*list; /* as the message wants them, once port_rows_settle() was called */
	size_t n, room;
};

/* Adds a rule's rows and returns how many; none for a rule with one port, or without memory. */
size_t port_rows_add(struct port_rows *rows, const struct rule_state *rs, enum port_choice which);
/* Makes the list; without memory it has no rows. */
void port_rows_settle(struct port_rows *rows);
void port_rows_free(struct port_rows *rows);

#endif
