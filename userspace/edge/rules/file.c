// SPDX-License-Identifier: MIT
/* Serving the rules of a file: checked, applied, and what is wrong with it said where people look. */
#include "edge/rules/file.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "edge/loop/offload.h"
#include "edge/rules/apply.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"
#include "lib/rule/rule.h"

static void say(const char *path, const struct rule_error *err)
{
	if (err->line)
		fprintf(stderr, "error: %s:%d:%d: %s: %s\n", path, err->line, err->column,
			err->code, err->message);
	else
		fprintf(stderr, "error: %s: %s: %s\n", path, err->code, err->message);
}

static int read_json(void *arg, const char *path, struct rulefile *f, struct rule_error *err)
{
	return rules_read_file(path, &f->rules, &f->n, err);
}

const struct rulefile_source rulefile_json = {.read = read_json};

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

void rulefile_apply(const char *path, struct rulefile *f, struct rule_table *e)
{
	if (rule_table_apply(e, f->rules, f->n) < 0)
		log_event(LOG_ERROR, "rules.rejected", LOGF_STR("path", path),
			  LOGF_STR("message", "out of memory"),
			  LOGF_STR("hint", "the rules in force are unchanged"));
	else
		log_event(LOG_INFO, "rules.loaded", LOGF_STR("path", path),
			  LOGF_UINT("rules", f->n));
	rulefile_free(f);
}

struct rulefile_reader {
	struct offload_job job;
	const char *path;
	const struct rulefile_source *source;
	struct rule_table *table;
	struct offload *files;
	void (*done)(void *arg);
	void *arg;
	bool reading, again;
	/* The thread's while it reads. */
	struct rulefile file;
	struct rule_error error;
	int err;
};

static void work(struct offload_job *job)
{
	struct rulefile_reader *r = container_of(job, struct rulefile_reader, job);

	r->error = (struct rule_error){0};
	r->err = r->source->read(r->source->arg, r->path, &r->file, &r->error);
}

static void take(struct rulefile_reader *r)
{
	rulefile_apply(r->path, &r->file, r->table);
	if (r->source->applied)
		r->source->applied(r->source->arg);
}

static void done(struct offload_job *job)
{
	struct rulefile_reader *r = container_of(job, struct rulefile_reader, job);

	r->reading = false;
	if (r->err < 0)
		log_event(LOG_ERROR, "rules.rejected", LOGF_STR("path", r->path),
			  LOGF_INT("line", r->error.line), LOGF_INT("column", r->error.column),
			  LOGF_STR("code", r->error.code), LOGF_STR("message", r->error.message),
			  LOGF_STR("hint", "the rules in force are unchanged"));
	else
		take(r);
	if (r->again)
		rulefile_reload(r);
	else
		r->done(r->arg);
}

void rulefile_reload(struct rulefile_reader *r)
{
	r->again = r->reading;
	if (r->reading)
		return;
	r->reading = true;
	r->job.work = work;
	r->job.done = done;
	offload_post(r->files, &r->job);
}

struct rulefile_reader *rulefile_reader_new(const char *path, const struct rulefile_source *source,
					    struct rule_table *t, struct offload *files,
					    void (*on_done)(void *arg), void *arg)
{
	struct rulefile_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->path = path;
	r->source = source;
	r->table = t;
	r->files = files;
	r->done = on_done;
	r->arg = arg;
	return r;
}

void rulefile_reader_free(struct rulefile_reader *r)
{
	free(r);
}
