// SPDX-License-Identifier: MIT
/* flows: what a UDP rule carries now */
#include <stdint.h>
#include <stdio.h>

#include "cli/print.h"
#include "cli/request.h"
#include "cli/verbs.h"
#include "lib/base/table.h"

static const struct column columns[] = {
	{"CLIENT"},	  {"PORT", true},     {"TARGET", .cut = true},
	{"AGE_MS", true}, {"IDLE_MS", true},  {"IN", true},
	{"OUT", true},	  {"BYTES_IN", true}, {"BYTES_OUT", true},
};

static void print_flows(const json_t *answer)
{
	struct table t = {.columns = columns, .n_columns = sizeof(columns) / sizeof(columns[0])};
	static const char *const numbers[] = {"age_ms",	       "idle_ms",  "datagrams_in",
					      "datagrams_out", "bytes_in", "bytes_out"};
	const json_t *list = json_object_get(answer, "flows"), *f;
	size_t i;

	json_array_foreach (list, i, f) {
		table_cell(&t, "%s", text_of(f, "client", "-"));
		table_cell(&t, "%lld", number_of(f, "listen_port"));
		table_cell(&t, "%s", text_of(f, "target", "-"));
		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			table_cell(&t, "%lld", number_of(f, numbers[k]));
	}
	table_print(&t, stdout);
}

int verb_rule_flows(struct cli_args *a)
{
	unsigned long long id;
	json_t *answer = NULL;
	char target[64];
	int rc;

	if (!parse_u64(a->positional[0], 0, INT64_MAX, &id))
		return usage_error(a, "invalid value '%s' for RULE_ID", a->positional[0]);
	snprintf(target, sizeof(target), "/v1/rules/%llu/flows", id);
	rc = api_call(a, "GET", target, NULL, &answer);
	if (rc)
		return rc;
	if (a->json)
		print_json(answer);
	else
		print_flows(answer);
	if (json_is_true(json_object_get(answer, "more")))
		cli_note(a, "there are more; these are the first 1000");
	json_decref(answer);
	return EXIT_OK;
}
