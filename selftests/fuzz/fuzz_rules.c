// SPDX-License-Identifier: MIT
/* Any bytes as a rules file: an error with a place in it, or rules that survive being written. */
#include "lib/rule/file.c"

#include "lib/rule/proto.h"
#include "lib/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rule(const struct rule *r)
{
	json_t *o = rule_to_json(r);
	struct rule *copy = rule_dup(r), *back;
	struct rule_proto proto;
	struct rule_error err;

	if (!o || !copy || r->id == 0 || r->n_targets == 0 || r->n_targets > RULE_TARGETS_MAX)
		abort();
	back = rule_parse(o, &err);
	if (!back || !rule_equal(r, back) || !rule_equal(r, copy))
		abort();
	rule_free(back);
	rule_to_proto(r, true, &proto);
	back = rule_from_proto(&proto.msg, &err);
	if (!back || !rule_equal(r, back))
		abort();
	rule_free(back);
	rule_free(copy);
	json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rule_error err = {0};
	struct rule **rules;
	size_t n;

	if (rules_read((const char *)data, size, &rules, &n, &err)) {
		if (!err.code[0] || !err.message[0] || err.line < 1 || err.column < 1 ||
		    (size_t)err.column > size + 1 || !utf8_valid(err.message, strlen(err.message)))
			abort();
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		check_rule(rules[i]);
	rules_free(rules, n);
	return 0;
}
