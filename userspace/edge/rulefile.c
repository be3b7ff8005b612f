// SPDX-License-Identifier: MIT
/* Serving the rules of a file: checked, applied, and what is wrong with it said where people look. */
#include "edge/rulefile.h"

#include <stdio.h>

#include "edge/apply.h"
#include "lib/log.h"
#include "lib/rule.h"

static void say(const char *path, const struct rule_error *err)
{
	if (err->line)
		fprintf(stderr, "error: %s:%d:%d: %s: %s\n", path, err->line, err->column,
			err->code, err->message);
	else
		fprintf(stderr, "error: %s: %s: %s\n", path, err->code, err->message);
}

int rulefile_check(const char *path)
{
	struct rule_error err = {0};
	struct rule **rules;
	size_t n;
	int rc = rules_read_file(path, &rules, &n, &err);

	if (rc < 0)
		say(path, &err);
	else
		rules_free(rules, n);
	return rc;
}

void rulefile_apply(const char *path, struct edge *e)
{
	struct rule_error err = {0};
	struct rule **rules;
	size_t n;

	if (rules_read_file(path, &rules, &n, &err) < 0) {
		log_event(LOG_ERROR, "rules.rejected", LOGF_STR("path", path),
			  LOGF_INT("line", err.line), LOGF_INT("column", err.column),
			  LOGF_STR("code", err.code), LOGF_STR("message", err.message),
			  LOGF_STR("hint", "the rules in force are unchanged"));
		return;
	}
	if (edge_apply(e, rules, n) < 0)
		log_event(LOG_ERROR, "rules.rejected", LOGF_STR("path", path),
			  LOGF_STR("message", "out of memory"),
			  LOGF_STR("hint", "the rules in force are unchanged"));
	else
		log_event(LOG_INFO, "rules.loaded", LOGF_STR("path", path), LOGF_UINT("rules", n));
	rules_free(rules, n);
}
