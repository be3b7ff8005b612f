// SPDX-License-Identifier: MIT
/* Rows of a report for single ports of rules with a range. */
#include "edge/control/port_rows.h"

#include <stdint.h>
#include <stdlib.h>

#include "edge/rules/table.h"
#include "edge/target/service.h"
#include "lib/rule/span.h"

static bool make_room(struct port_rows *rows)
{
	size_t room = rows->room ? 2 * rows->room : 64;
	Portunus__V1__PerPortStats *more;

	if (rows->n < rows->room)
		return true;
	more = realloc(rows->row, room * sizeof(*more));
	if (!more)
		return false;
	rows->row = more;
	rows->room = room;
	return true;
}

static void set_row(Portunus__V1__PerPortStats *row, unsigned port, const struct port_sums *sums)
{
	portunus__v1__per_port_stats__init(row);
	row->listen_port = port;
	row->bytes_in = sums->bytes_in;
	row->bytes_out = sums->bytes_out;
	row->active_connections = (uint32_t)sums->active;
	row->datagrams_in = sums->datagrams_in;
	row->datagrams_out = sums->datagrams_out;
}

size_t port_rows_add(struct port_rows *rows, const struct rule_state *rs, enum port_choice which)
{
	const struct rule_totals *t = rs->service->totals;
	const struct rule *rule = rs->service->rule;
	/* What came by ports that the range had before is in the rule's totals too. */
	struct span ports = which == PORTS_ALL ? rule_span(rule) : (struct span){1, UINT16_MAX};
	size_t before = rows->n;

	if (which == PORTS_NONE || !rule_is_range(rule))
		return 0;
	for (unsigned port = ports.first; port <= ports.last; port++) {
		struct port_sums sums;
		bool used = port_counts_sum(atomic_load(&t->ports), t->n_cells, (uint16_t)port,
					    &sums);

		if ((used || which == PORTS_ALL) && make_room(rows))
			set_row(&rows->row[rows->n++], port, &sums);
	}
	return rows->n - before;
}

void port_rows_settle(struct port_rows *rows)
{
	free(rows->list);
	rows->list = calloc(rows->n + 1, sizeof(*rows->list));
	for (size_t i = 0; rows->list && i < rows->n; i++)
		rows->list[i] = &rows->row[i];
}

void port_rows_free(struct port_rows *rows)
{
	free(rows->row);
	free(rows->list);
	*rows = (struct port_rows){0};
}
