// SPDX-License-Identifier: MIT
/* Any bytes as a file of portunus-standalone: errors that have places, or rules with names and ids. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "edge/status/metrics_http.h"
#include "lib/base/utf8.h"
#include "lib/rule/rule.h"
#include "standalone/config.h"
#include "standalone/problems.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In place of the edge's, which comes with all of the edge. */
bool metrics_http_place_ok(const char *where)
{
	return *where == '/';
}

static void look_at(const struct problem_list *l)
{
	for (size_t i = 0; i < l->n && i < PROBLEMS_MAX; i++) {
		const struct problem *p = &l->list[i];

		if (!p->code[0] || !p->message[0] || !utf8_valid(p->message, strlen(p->message)) ||
		    p->line < 0 || !p->line != !p->column)
			abort();
		if (i && p->line < l->list[i - 1].line)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problems problems = {0};
	struct config *c = standalone_parse_config((const char *)data, size, &problems);

	look_at(&problems.errors);
	look_at(&problems.warnings);
	if (!c != !!problems.errors.n)
		abort();
	for (size_t i = 0; c && i < c->n; i++)
		if (!c->names[i].name || !c->rules[i] || !c->names[i].id ||
		    c->names[i].id != c->rules[i]->id || c->names[i].id > RULE_ID_MAX)
			abort();
	standalone_free_config(c);
	return 0;
}
