// SPDX-License-Identifier: MIT
/* What the terminal view knows of a running edge: rules, their figures, and the last minute of their rates. */
#include "view/model.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"

#define SECOND_MS 950 /* a snapshot comes a little early, too */

const char *const view_error_names[VIEW_ERRORS] = {
	"port_in_use",
	"upstream_connect_failed",
	"icmp_evict",
	"emsgsize",
	"wouldblock",
	"addflow_dropped",
	"flows_pending_drops",
	"bandwidth_dropped_in",
	"bandwidth_dropped_out",
	"send_dropped",
	"dns_failures",
	"flows_dropped_overflow",
};

static uint64_t number(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static char *copy(const char *s)
{
	char *out = malloc(strlen(s) + 1);

	if (out)
		utf8_copy(out, strlen(s) + 1, s, strlen(s));
	return out;
}

/* ---- the greeting ---- */

static void read_target(struct view_target *t, const json_t *o)
{
	utf8_format(t->name, sizeof(t->name), "%s:%llu", text(o, "host"),
		    (unsigned long long)number(o, "port"));
	snprintf(t->proxy, sizeof(t->proxy), "%.3s", text(o, "proxy_protocol"));
	t->priority = number(o, "priority");
}

/* False for want of memory. */
static bool read_rule(struct view_rule *r, const json_t *o)
{
	const json_t *targets = json_object_get(o, "targets"), *target;
	size_t i;

	r->id = copy(text(o, "id"));
	r->name = copy(text(o, "name"));
	r->udp = !strcmp(text(o, "proto"), "udp");
	r->max_flows = number(o, "udp_max_flows");
	utf8_format(r->listen, sizeof(r->listen), "%s", text(o, "listen"));
	json_array_foreach (targets, i, target)
		if (i < VIEW_TARGETS_MAX)
			read_target(&r->target[r->n_targets++], target);
	return r->id && r->name;
}

static void free_rules(struct view_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(rules[i].id);
		free(rules[i].name);
	}
	free(rules);
}

/* What a rule of that id had before. */
static void keep(struct view_rule *r, const struct view_model *m)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct view_rule *old = &m->rules[i];

		if (strcmp(old->id, r->id) != 0)
			continue;
		r->now = old->now;
		r->base = old->base;
		r->has_figures = old->has_figures;
		r->n_history = old->n_history;
		memcpy(r->in_history, old->in_history, sizeof(r->in_history));
		memcpy(r->out_history, old->out_history, sizeof(r->out_history));
		return;
	}
}

bool view_take_hello(struct view_model *m, const json_t *hello)
{
	const json_t *list = json_object_get(hello, "rules");
	size_t n = json_array_size(list);
	struct view_rule *rules;

	if (json_integer_value(json_object_get(hello, "v")) != 1 || !json_is_array(list))
		return false;
	rules = calloc(n ? n : 1, sizeof(*rules));
	if (!rules)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!read_rule(&rules[i], json_array_get(list, i))) {
			free_rules(rules, n);
			return false;
		}
		keep(&rules[i], m);
	}
	free_rules(m->rules, m->n);
	m->rules = rules;
	m->n = n;
	free(m->label);
	free(m->version);
	m->label = copy(text(hello, "label"));
	m->version = copy(text(hello, "daemon_version"));
	m->started_ms = number(hello, "daemon_started_at_ms");
	m->t_ms = 0;
	return true;
}

/* ---- snapshots ---- */

static void read_row(struct view_target *t, const json_t *o)
{
	const char *health = json_string_value(json_object_get(o, "health"));

	t->has_health = health;
	t->failed = health && !strcmp(health, "Failed");
	t->since_ms = number(o, "since_ms");
	t->in = number(o, "in");
	t->out = number(o, "out");
	t->conns = number(o, "conns");
	t->srtt_us = number(o, "srtt_us");
	t->last_errno = (int)number(o, "last_errno");
}

static void read_figures(struct view_figures *f, const json_t *o)
{
	const json_t *err = json_object_get(o, "err");

	f->in = number(o, "in");
	f->out = number(o, "out");
	f->conns_active = number(o, "conns_active");
	f->conns_total = number(o, "conns_total");
	f->datagrams_in = number(o, "datagrams_in");
	f->datagrams_out = number(o, "datagrams_out");
	f->flows = number(o, "flows_active");
	f->failovers = number(o, "target_failovers_total");
	for (size_t i = 0; i < VIEW_ERRORS; i++)
		f->err[i] = number(err, view_error_names[i]);
}

static double rate(uint64_t now, uint64_t before, uint64_t ms)
{
	return now > before && ms ? (double)(now - before) * 1000 / (double)ms : 0;
}

static void push(double history[VIEW_HISTORY], double value)
{
	memmove(history + 1, history, (VIEW_HISTORY - 1) * sizeof(history[0]));
	history[0] = value;
}

static void read_rule_row(struct view_rule *r, const json_t *o, uint64_t passed_ms, bool second)
{
	const json_t *targets = json_object_get(o, "targets"), *target;
	const struct view_figures before = r->now;
	size_t i;

	read_figures(&r->now, o);
	r->failed = !strcmp(text(o, "state"), "failed");
	utf8_format(r->reason, sizeof(r->reason), "%s", text(o, "reason"));
	json_array_foreach (targets, i, target)
		if (i < r->n_targets)
			read_row(&r->target[i], target);
	if (r->has_figures && passed_ms) {
		r->in_per_s = rate(r->now.in, before.in, passed_ms);
		r->out_per_s = rate(r->now.out, before.out, passed_ms);
		if (second) {
			push(r->in_history, r->in_per_s);
			push(r->out_history, r->out_per_s);
			r->n_history += r->n_history < VIEW_HISTORY;
		}
	}
	r->has_figures = true;
}

bool view_take_snapshot(struct view_model *m, const json_t *snapshot)
{
	const json_t *list = json_object_get(snapshot, "r"), *row,
		     *process = json_object_get(snapshot, "process");
	uint64_t now = number(snapshot, "t_ms"),
		 passed = m->t_ms && now > m->t_ms ? now - m->t_ms : 0;
	bool second = now - m->second_ms >= SECOND_MS;
	size_t i, at = 0;

	if (!json_is_array(list))
		return false;
	json_array_foreach (list, i, row) {
		/* Mostly in the order of the greeting, but nobody has promised that. */
		for (size_t k = 0; k < m->n; k++) {
			struct view_rule *r = &m->rules[(at + k) % m->n];

			if (strcmp(r->id, text(row, "id")) != 0)
				continue;
			read_rule_row(r, row, passed, second);
			at = (at + k + 1) % m->n;
			break;
		}
	}
	if (second)
		m->second_ms = now;
	m->t_ms = now;
	m->uptime_ms = number(snapshot, "uptime_ms");
	m->fd_open = number(process, "fd_open");
	m->fd_limit = number(process, "fd_limit");
	m->rss_bytes = number(process, "rss_bytes");
	return true;
}

/* ---- questions ---- */

void view_set_base(struct view_model *m)
{
	for (size_t i = 0; i < m->n; i++)
		m->rules[i].base = m->rules[i].now;
}

void view_model_clear(struct view_model *m)
{
	free_rules(m->rules, m->n);
	free(m->label);
	free(m->version);
	*m = (struct view_model){0};
}

const struct view_target *view_best(const struct view_rule *r)
{
	for (unsigned i = 0; i < r->n_targets; i++)
		if (!r->target[i].failed)
			return &r->target[i];
	return r->n_targets ? &r->target[0] : NULL;
}

uint64_t view_errors(const struct view_rule *r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < VIEW_ERRORS; i++)
		sum += r->now.err[i];
	return sum;
}
