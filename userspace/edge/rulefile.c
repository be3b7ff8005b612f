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

int rulefile_read(const char *path, struct rulefile *f)
{
	struct rule_error err = {0};
	int rc = rules_read_file(path, &f->rules, &f->n, &err);

	if (rc < 0)
		say(path, &err);
	return rc;
}

void rulefile_free(struct rulefile *f)
{
	rules_free(f->rules, f->n);
	*f = (struct rulefile){0};
}

void rulefile_apply(const char *path, struct rulefile *f, struct edge *e)
{
	if (edge_apply(e, f->rules, f->n) < 0)
		log_event(LOG_ERROR, "rules.rejected", LOGF_STR("path", path),
			  LOGF_STR("message", "out of memory"),
			  LOGF_STR("hint", "the rules in force are unchanged"));
	else
		log_event(LOG_INFO, "rules.loaded", LOGF_STR("path", path),
			  LOGF_UINT("rules", f->n));
	rulefile_free(f);
}

void rulefile_reload(const char *path, struct edge *e)
{
	struct rule_error err = {0};
	struct rulefile f;

	if (rules_read_file(path, &f.rules, &f.n, &err) < 0)
		log_event(LOG_ERROR, "rules.rejected", LOGF_STR("path", path),
			  LOGF_INT("line", err.line), LOGF_INT("column", err.column),
			  LOGF_STR("code", err.code), LOGF_STR("message", err.message),
			  LOGF_STR("hint", "the rules in force are unchanged"));
	else
		rulefile_apply(path, &f, e);
}
