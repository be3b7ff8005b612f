// SPDX-License-Identifier: MIT
/* The figures of one moment, printed. */
#include "standalone/once.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/table.h"
#include "lib/base/text.h"
#include "view/model.h"

static int print_json(json_t *hello, json_t *snapshot)
{
	json_t *both = json_pack("{s:O, s:O}", "hello", hello, "snapshot", snapshot);
	int rc = both ? json_dumpf(both, stdout, JSON_INDENT(2)) : -1;

	json_decref(both);
	putchar('\n');
	return rc;
}

/* A name is foreign text: in quotes, with what would end them or the line left out. */
static void print_name(const char *name)
{
	fputs("name=\"", stdout);
	for (; *name; name++)
		putchar(*name == '"' || (unsigned char)*name < ' ' ? '?' : *name);
	putchar('"');
}

static void print_line(const struct view_rule *r)
{
	const struct view_figures *f = &r->now;

	print_name(r->name);
	printf(" id=%s protocol=%s listen=%s state=%s bytes_in=%" PRIu64 " bytes_out=%" PRIu64,
	       r->id, r->udp ? "udp" : "tcp", r->listen, r->failed ? "failed" : "active", f->in,
	       f->out);
	if (r->udp)
		printf(" active_flows=%" PRIu64 " datagrams_in=%" PRIu64 " datagrams_out=%" PRIu64
		       " flows_dropped_overflow=%" PRIu64,
		       f->flows, f->datagrams_in, f->datagrams_out, f->err[VIEW_ERRORS - 1]);
	else
		printf(" active=%" PRIu64 " accepted=%" PRIu64, f->conns_active, f->conns_total);
	printf(" target_failovers_total=%" PRIu64 " errors=%" PRIu64 "\n", f->failovers,
	       view_errors(r));
}

static void print_table(const struct view_model *m)
{
	static const struct column columns[] = {
		{"NAME", .cut = true},
		{"PROTO"},
		{"LISTEN"},
		{"TARGET", .cut = true},
		{"STATE"},
		{"IN", .right = true},
		{"OUT", .right = true},
		{"OPEN", .right = true},
		{"ERRORS", .right = true},
	};
	struct table t = {.columns = columns, .n_columns = sizeof(columns) / sizeof(columns[0])};
	char bytes[TEXT_SIZE];

	for (size_t i = 0; i < m->n; i++) {
		const struct view_rule *r = &m->rules[i];
		const struct view_target *best = view_best(r);

		table_cell(&t, "%s", r->name);
		table_cell(&t, "%s", r->udp ? "udp" : "tcp");
		table_cell(&t, "%s", r->listen);
		table_cell(&t, "%s%s", best ? best->name : "-", r->n_targets > 1 ? " …" : "");
		table_cell(&t, "%s", r->failed ? "failed" : "active");
		table_cell(&t, "%s", text_bytes(r->now.in, bytes));
		table_cell(&t, "%s", text_bytes(r->now.out, bytes));
		table_cell(&t, "%" PRIu64, r->udp ? r->now.flows : r->now.conns_active);
		table_cell(&t, "%" PRIu64, view_errors(r));
	}
	table_print(&t, stdout);
}

int once_print(struct json_t *hello, struct json_t *snapshot, const char *format)
{
	struct view_model m = {0};
	int rc = 0;

	if (!strcmp(format, "json")) {
		rc = print_json(hello, snapshot);
	} else if (view_take_hello(&m, hello) && view_take_snapshot(&m, snapshot)) {
		if (!strcmp(format, "table"))
			print_table(&m);
		for (size_t i = 0; i < m.n && strcmp(format, "table") != 0; i++)
			print_line(&m.rules[i]);
	} else {
		rc = -1;
	}
	view_model_clear(&m);
	if (!rc && !fflush(stdout))
		return 0;
	perror("error: stdout");
	return 1;
}
