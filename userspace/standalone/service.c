// SPDX-License-Identifier: MIT
/* A configuration served: the edge's role, its reload, and what it shows. */
#include "standalone/service.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/program.h"
#include "edge/role.h"
#include "edge/rules/table.h"
#include "edge/serve.h"
#include "lib/base/log.h"
#include "lib/rule/rule.h"
#include "standalone/config.h"
#include "standalone/feed.h"
#include "standalone/minute.h"
#include "standalone/options.h"
#include "standalone/problems.h"

#define FEW_DESCRIPTORS 4096

/* Main thread, but for @next and @problems, which the thread that reads files has while it does. */
struct standalone {
	const struct standalone_options *options;
	struct program *program;
	struct config *config, *next;
	struct problems problems;
	struct feed *feed;
	struct minute *minute;
	char *socket, *metrics; /* as the process began with them */
	char socket_dir[PATH_MAX];
	char *failure; /* why the start failed, in lines; NULL: it did not */
};

void service_set_filter(const struct standalone_options *o, const struct config *c)
{
	const char *level = o->log_level ? o->log_level : c->settings.log_level;
	char filter[256];

	snprintf(filter, sizeof(filter), "warn,%s", level ? level : "");
	log_set_filter(filter);
}

static const char *socket_of(const struct standalone *s, const struct config *c)
{
	return s->options->stats_socket	 ? s->options->stats_socket
	       : c->settings.socket_path ? c->settings.socket_path
					 : SETTINGS_SOCKET;
}

/* ---- reading again ---- */

/* On the thread that reads files. */
static int read_again(void *arg, const char *path, struct rulefile *f, struct rule_error *err)
{
	struct standalone *s = arg;

	s->problems = (struct problems){0};
	standalone_free_config(s->next);
	s->next = standalone_read_config(path, &s->problems);
	if (!s->next) {
		const struct problem *first = &s->problems.errors.list[0];

		*err = (struct rule_error){.row = -1, .line = first->line, .column = first->column};
		snprintf(err->code, sizeof(err->code), "%s", first->code);
		snprintf(err->message, sizeof(err->message), "%.*s", (int)sizeof(err->message) - 1,
			 first->message);
		return -EINVAL;
	}
	f->rules = standalone_take_rules(s->next);
	f->n = s->next->n;
	return 0;
}

static void log_warnings(const struct standalone *s)
{
	const struct problem_list *l = &s->problems.warnings;

	for (size_t i = 0; i < l->n && i < PROBLEMS_MAX; i++)
		log_event(LOG_WARN, "standalone.config_warning", LOGF_INT("line", l->list[i].line),
			  LOGF_INT("column", l->list[i].column), LOGF_STR("code", l->list[i].code),
			  LOGF_STR("message", l->list[i].message));
}

static void applied(void *arg)
{
	struct standalone *s = arg;
	struct config *before = s->config;

	s->config = s->next;
	s->next = NULL;
	log_warnings(s);
	service_set_filter(s->options, s->config);
	s->program->options.drain_secs = s->config->settings.drain_secs;
	if (s->feed)
		feed_reconfigure(s->feed, s->config);
	minute_reconfigure(s->minute, s->config);
	if (s->feed && strcmp(socket_of(s, s->config), s->socket) != 0)
		log_event(LOG_WARN, "standalone.restart_needed",
			  LOGF_STR("key", "stats.socket_path"), LOGF_STR("in_force", s->socket));
	standalone_free_config(before);
}

/* ---- the start ---- */

static int find_rules(struct program *p)
{
	struct standalone *s = p->role->arg;

	p->file.rules = standalone_take_rules(s->config);
	p->file.n = s->config->n;
	return -1;
}

/* How many rules have no port; with @list a line for each. */
static unsigned failed_rules(const struct standalone *s, FILE *list)
{
	unsigned n = 0;

	for (size_t i = 0; i < s->config->n; i++) {
		const struct config_rule *as = &s->config->names[i];
		const struct rule_state *rs = rule_table_find(s->program->table, as->id);

		if (!rs || rs->status == RULE_ACTIVE)
			continue;
		n++;
		if (list)
			fprintf(list, "  - %s (%" PRIu64 "): %s\n", as->name, as->shown_id,
				rs->reason);
	}
	return n;
}

/* Said when the log's thread, which writes to stderr too, has ended. */
static void keep_failure(struct standalone *s, unsigned failed)
{
	size_t len;
	FILE *f = open_memstream(&s->failure, &len);

	if (!f)
		return;
	fprintf(f, "error: %u rule(s) failed to bind:\n", failed);
	failed_rules(s, f);
	fclose(f);
}

static void say_fd_limit(const struct program *p)
{
	if (p->fd_limit >= FEW_DESCRIPTORS)
		log_event(LOG_INFO, "standalone.rlimit_nofile", LOGF_UINT("limit", p->fd_limit));
	else
		log_event(LOG_WARN, "standalone.rlimit_nofile", LOGF_UINT("limit", p->fd_limit),
			  LOGF_STR("hint", "a connection needs two descriptors and more; raise "
					   "LimitNOFILE= or ulimit -n"));
}

/* Without it everything else goes on: the operator is told, not the clients. */
static void open_feed(struct standalone *s, const struct feed_parts *parts)
{
	if (s->options->no_stats || s->config->settings.no_stats)
		return;
	s->feed = feed_new(parts, s->config, s->socket);
	if (!s->feed)
		log_event(LOG_WARN, "standalone.stats_socket_bind_failed",
			  LOGF_STR("path", s->socket), LOGF_STR("error", strerror(errno)),
			  LOGF_STR("hint", "portunus-standalone stats does not work; see "
					   "--stats-socket"));
}

static int begun(struct program *p, void *arg)
{
	struct standalone *s = arg;
	const struct feed_parts parts = {
		.base = p->base,
		.table = p->table,
		.account = p->account,
		.refresher = p->refresher,
	};
	unsigned failed = failed_rules(s, NULL);

	say_fd_limit(p);
	if (failed && !s->config->settings.start_partial) {
		keep_failure(s, failed);
		return 1;
	}
	open_feed(s, &parts);
	s->minute = minute_new(&parts, s->config);
	return s->minute ? -1 : 1;
}

static void ending(void *arg)
{
	struct standalone *s = arg;

	feed_free(s->feed);
	minute_free(s->minute);
}

int service_run(const struct standalone_options *o, struct config *config)
{
	struct standalone s = {.options = o, .config = config};
	const struct edge_role role = {
		.name = "portunus-standalone",
		.lock_optional = true,
		.find_rules = find_rules,
		.source = {.read = read_again, .applied = applied, .arg = &s},
		.begun = begun,
		.ending = ending,
		.arg = &s,
	};
	int status = 1;

	s.program = calloc(1, sizeof(*s.program));
	s.socket = strdup(socket_of(&s, config));
	s.metrics = config->settings.metrics_listen ? strdup(config->settings.metrics_listen)
						    : NULL;
	if (!s.program || !s.socket || !s.metrics != !config->settings.metrics_listen)
		goto out;
	s.program->options = o->edge;
	s.program->options.rules = o->config;
	s.program->options.drain_secs = config->settings.drain_secs;
	s.program->options.metrics_listen = s.metrics;
	snprintf(s.socket_dir, sizeof(s.socket_dir), "%s", s.socket);
	s.program->also_writes = dirname(s.socket_dir);
	status = edge_serve(s.program, &role);
	rulefile_free(&s.program->file);
	log_stop();
	if (s.failure)
		fputs(s.failure, stderr);
out:
	free(s.failure);
	free(s.program);
	free(s.socket);
	free(s.metrics);
	standalone_free_config(s.next);
	standalone_free_config(s.config);
	return status;
}
