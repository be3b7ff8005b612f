// SPDX-License-Identifier: MIT
/* The configuration file of portunus-standalone: its settings, and the rules by name. */
#include "standalone/config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/atomic_file.h"
#include "lib/base/toml.h"
#include "lib/base/utf8.h"
#include "lib/rule/rule.h"
#include "lib/rule/set.h"
#include "standalone/blake3.h"
#include "standalone/convert.h"
#include "standalone/problems.h"
#include "standalone/settings.h"

/* Ids stay where JSON numbers are exact. */
#define ID_BITS ((1ull << 53) - 1)

/* A file on its way to a configuration. */
struct reading {
	struct config *config;
	const struct toml_value *rules, *defaults;
	struct problems *problems;
};

static void out_of_memory(struct problems *p)
{
	problem_error(p, NULL, "internal_error", "out of memory");
}

/* ---- one rule ---- */

/* The validator's error, in the words of the file and at its place. */
static void tell(const struct rule_source *s, const struct rule_error *err)
{
	size_t prefix = strlen(s->prefix), len;
	const char *path = err->message + prefix, *name;

	if (strncmp(err->message, s->prefix, prefix) != 0 || (*path != '.' && *path != '[')) {
		problem_error(s->problems, s->table, err->code, "%s", err->message);
		return;
	}
	path += *path == '.';
	len = strcspn(path, ".[:");
	name = convert_name(s, path, len);
	problem_error(s->problems, convert_place(s, path), err->code, "%s.%.*s%s", s->prefix,
		      name ? (int)strlen(name) : (int)len, name ? name : path,
		      name ? strchr(path, ':') : path + len);
}

static void refuse_key(void *arg, const char *path, const char *nearest)
{
	struct rule_source *s = arg;

	if (nearest)
		problem_error(s->problems, convert_place(s, path), "invalid_body",
			      "%s: unknown key '%s'; did you mean '%s'?", s->prefix, path, nearest);
	else
		problem_error(s->problems, convert_place(s, path), "invalid_body",
			      "%s: unknown key '%s'", s->prefix, path);
}

/* The first row of two equal ones is served. */
static void drop_row(struct rule_source *s, json_t *o, size_t row)
{
	char path[32];

	snprintf(path, sizeof(path), "targets[%zu]", row);
	problem_warning(s->problems, convert_place(s, path), "targets_duplicate",
			"%s.targets: this row is the same as one before, and is left out",
			s->prefix);
	json_array_remove(json_object_get(o, "targets"), row);
	s->dropped[s->n_dropped++] = row;
}

/* Of a rule that is not whole only the keys are looked at: a slip in one may be what it lacks. */
static struct rule *validate(struct rule_source *s, json_t *o, bool whole)
{
	size_t errors = s->problems->errors.n;
	struct rule_error err;
	struct rule *r;

	rule_unknown_keys(o, false, refuse_key, s);
	if (!whole || s->problems->errors.n > errors)
		return NULL;
	for (;;) {
		err = (struct rule_error){.row = -1};
		r = rule_parse_at(o, false, s->prefix, &err);
		if (r || strcmp(err.code, "targets_duplicate") != 0 || err.row < 0 ||
		    s->n_dropped == RULE_TARGETS_MAX)
			break;
		drop_row(s, o, (size_t)err.row);
	}
	if (!r)
		tell(s, &err);
	else if ((r->fields & RULE_HAS_ID) && !r->id)
		problem_error(s->problems, convert_place(s, "id"), "invalid_id",
			      "%s.id: must be 1..9007199254740992", s->prefix);
	return r;
}

static const char *name_of(struct reading *rd, const struct toml_value *table, const char *prefix)
{
	const struct toml_value *name = table->type == TOML_TABLE ? toml_find(table, "name") : NULL;

	if (!name)
		problem_error(rd->problems, table, "invalid_body", "%s.name: is required", prefix);
	else if (name->type != TOML_STRING || strlen(name->string) != name->len)
		problem_error(rd->problems, name, "invalid_body", "%s.name: must be a string",
			      prefix);
	else
		return name->string;
	return NULL;
}

static void settle_id(struct config_rule *as, struct rule *r)
{
	uint64_t hash = blake3_u64(as->name, strlen(as->name));

	as->shown_id = r->fields & RULE_HAS_ID ? r->id : hash;
	if (!(r->fields & RULE_HAS_ID)) {
		r->id = hash & ID_BITS ? hash & ID_BITS : 1;
		r->fields |= RULE_HAS_ID;
	}
	as->id = r->id;
}

static bool is_enabled(struct reading *rd, const struct toml_value *table, const char *prefix)
{
	const struct toml_value *v = toml_find(table, "enabled");

	if (v && v->type != TOML_BOOLEAN)
		problem_error(rd->problems, v, "invalid_body", "%s.enabled: must be true or false",
			      prefix);
	return !v || v->boolean;
}

/* Fills in row @i; its rule stays NULL when something is wrong with it, or it is switched off. */
static int read_rule(struct reading *rd, size_t i)
{
	const struct toml_value *table = &rd->rules->child[i];
	struct config *c = rd->config;
	char prefix[32];
	struct rule_source s = {
		.table = table,
		.defaults = rd->defaults,
		.prefix = prefix,
		.problems = rd->problems,
	};
	const char *name;
	bool enabled, whole;
	json_t *o;

	snprintf(prefix, sizeof(prefix), "rule[%zu]", i);
	name = name_of(rd, table, prefix);
	if (table->type != TOML_TABLE)
		return 0;
	c->names[i].name = strdup(name ? name : "");
	if (!c->names[i].name)
		return -ENOMEM;
	enabled = is_enabled(rd, table, prefix);
	o = convert_rule(&s, &whole);
	if (!o)
		return -ENOMEM;
	c->rules[i] = validate(&s, o, whole);
	json_decref(o);
	if (c->rules[i])
		settle_id(&c->names[i], c->rules[i]);
	if (!enabled) {
		rule_free(c->rules[i]);
		c->rules[i] = NULL;
	}
	return 0;
}

/* ---- all rules ---- */

/* A name by its place, sorted to find equal ones. */
struct named {
	const char *name;
	size_t row;
};

static int by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int rc = strcmp(x->name, y->name);

	return rc ? rc : (x->row > y->row) - (x->row < y->row);
}

/* Of rules that are switched off too: a name stands for one rule. */
static int check_names(struct reading *rd)
{
	struct named *all = calloc(rd->config->n, sizeof(*all));
	size_t n = 0;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < rd->config->n; i++)
		if (rd->config->names[i].name && toml_find(&rd->rules->child[i], "name"))
			all[n++] = (struct named){rd->config->names[i].name, i};
	qsort(all, n, sizeof(*all), by_name);
	for (size_t i = 1; i < n; i++) {
		const struct toml_value *table = &rd->rules->child[all[i].row];

		if (strcmp(all[i - 1].name, all[i].name) != 0)
			continue;
		problem_error(rd->problems, toml_find(table, "name"), "duplicate_rule_name",
			      "rule[%zu].name: '%s' is already the name of rule[%zu]", all[i].row,
			      all[i].name, all[i - 1].row);
		/* Its id would be the same, which says nothing new. */
		rule_free(rd->config->rules[all[i].row]);
		rd->config->rules[all[i].row] = NULL;
	}
	free(all);
	return 0;
}

/* Every pair that excludes each other, one after the other. */
static int check_together(struct reading *rd)
{
	struct config *c = rd->config;
	struct rule_error err = {0};
	struct rule_set set = {
		.rules = c->rules,
		.n = c->n,
		.name = "rule",
		.id_hint = "without id it is made of the name",
		.err = &err,
	};
	int rc;

	while ((rc = rule_set_check(&set)) == -EINVAL) {
		const struct toml_value *table = &rd->rules->child[set.at];
		const struct toml_value *at = toml_find(table, "listen_port");

		if (!at)
			at = toml_find(table, "listen_ports");
		if (!strcmp(err.code, "duplicate_rule_id"))
			at = toml_find(table, "id") ? toml_find(table, "id")
						    : toml_find(table, "name");
		problem_error(rd->problems, at ? at : table, err.code, "%s", err.message);
		rule_free(c->rules[set.at]);
		c->rules[set.at] = NULL;
	}
	return rc;
}

/* What is not served goes. */
static void close_ranks(struct config *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (!c->rules[i]) {
			free(c->names[i].name);
			continue;
		}
		c->rules[n] = c->rules[i];
		c->names[n++] = c->names[i];
	}
	c->n = n;
}

static int read_rules(struct reading *rd)
{
	struct config *c = rd->config;
	int rc = 0;

	if (!rd->rules || (rd->rules->type == TOML_ARRAY && !rd->rules->n)) {
		problem_error(rd->problems, NULL, "rules_missing", "needs at least one [[rule]]");
		return 0;
	}
	if (rd->rules->type != TOML_ARRAY) {
		problem_error(rd->problems, rd->rules, "invalid_body",
			      "rule: must be an array of tables, [[rule]]");
		return 0;
	}
	c->rules = calloc(rd->rules->n, sizeof(c->rules[0]));
	c->names = calloc(rd->rules->n, sizeof(c->names[0]));
	if (!c->rules || !c->names)
		return -ENOMEM;
	c->n = rd->rules->n;
	for (size_t i = 0; i < c->n && !rc; i++)
		rc = read_rule(rd, i);
	if (!rc)
		rc = check_names(rd);
	if (!rc)
		rc = check_together(rd);
	return rc;
}

static struct config *config_new(void)
{
	struct config *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->settings = settings_default;
	return c;
}

struct config *standalone_parse_config(const char *text, size_t len, struct problems *p)
{
	struct reading rd = {.config = config_new(), .problems = p};
	struct toml_error syntax = {0};
	struct toml_value *root = NULL;
	int rc = rd.config ? toml_parse(text, len, &root, &syntax) : -ENOMEM;

	if (!rc) {
		rd.rules = toml_find(root, "rule");
		rd.defaults = toml_find(root, "defaults");
		if (rd.defaults && rd.defaults->type != TOML_TABLE)
			rd.defaults = NULL;
		rc = settings_take(&rd.config->settings, root, p);
	} else if (rc == -EINVAL) {
		const struct toml_value at = {.line = syntax.line, .column = syntax.column};

		problem_error(p, &at, "invalid_toml", "%s", syntax.message);
	}
	if (!rc)
		rc = read_rules(&rd);
	if (rc == -ENOMEM)
		out_of_memory(p);
	toml_free(root);
	problems_sort(p);
	if (p->errors.n) {
		standalone_free_config(rd.config);
		return NULL;
	}
	close_ranks(rd.config);
	return rd.config;
}

struct config *standalone_read_config(const char *path, struct problems *p)
{
	struct config *c;
	size_t len;
	char *text;
	int rc = file_read(path, RULE_FILE_MAX_BYTES, &text, &len);

	if (rc) {
		problem_error(p, NULL, "file_unreadable", "%s",
			      rc == -EFBIG ? "has more than 16 MiB" : strerror(-rc));
		return NULL;
	}
	c = standalone_parse_config(text, len, p);
	free(text);
	return c;
}

struct rule **standalone_take_rules(struct config *c)
{
	struct rule **rules = c->rules;

	c->rules = NULL;
	return rules;
}

void standalone_free_config(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++) {
		if (c->rules)
			rule_free(c->rules[i]);
		if (c->names)
			free(c->names[i].name);
	}
	free(c->rules);
	free(c->names);
	settings_clear(&c->settings);
	free(c);
}
