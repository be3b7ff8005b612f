// SPDX-License-Identifier: MIT
/* The tables of a configuration file that are no rules. */
#include "standalone/settings.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "edge/status/metrics_http.h"
#include "lib/base/near.h"
#include "lib/base/toml.h"
#include "standalone/problems.h"

#define AT(m)	  offsetof(struct settings, m)
#define KEYS_MAX  16
#define DRAIN_MAX 86400

struct setting {
	const char *table, *key;
	int type; /* enum toml_type */
	size_t at;
	int64_t min, max;
	bool inverted; /* the member says the opposite */
};

static const struct setting settings[] = {
	{"global", "label", TOML_STRING, AT(label)},
	{"global", "log_level", TOML_STRING, AT(log_level)},
	{"global", "log_format", TOML_STRING, AT(log_format)},
	{"global", "shutdown_drain_secs", TOML_INTEGER, AT(drain_secs), 0, INT64_MAX},
	{"global", "start_partial", TOML_BOOLEAN, AT(start_partial)},
	{"stats", "enabled", TOML_BOOLEAN, AT(no_stats), .inverted = true},
	{"stats", "socket_path", TOML_STRING, AT(socket_path)},
	{"stats", "refresh_ms", TOML_INTEGER, AT(refresh_ms), 0, UINT32_MAX},
	{"metrics", "listen", TOML_STRING, AT(metrics_listen)},
	{"metrics", "allow_remote", TOML_BOOLEAN, AT(metrics_remote)},
};
#define N_SETTINGS (sizeof(settings) / sizeof(settings[0]))

const struct default_key default_keys[] = {
	{"protocol", TOML_STRING, true, true},
	{"udp_max_flows", TOML_INTEGER, false, true, true},
	{"udp_flow_idle_secs", TOML_INTEGER, false, true, true},
	{"udp_reply_timeout_ms", TOML_INTEGER, false, true},
	{"prefer_ipv6", TOML_BOOLEAN, true, true},
	{"health_check_interval_secs", TOML_INTEGER, true, true},
	{"connect_timeout_ms", TOML_INTEGER, true, true},
	{"hedge_delay_ms", TOML_INTEGER, true, false},
	{"idle_timeout_secs", TOML_INTEGER, true, false},
};
const size_t n_default_keys = sizeof(default_keys) / sizeof(default_keys[0]);

const struct settings settings_default = {.drain_secs = 30, .refresh_ms = 1000};

static const char *type_text(int type)
{
	switch (type) {
	case TOML_STRING:
		return "a string";
	case TOML_INTEGER:
		return "an integer";
	case TOML_BOOLEAN:
		return "true or false";
	default:
		return "a table";
	}
}

void settings_unknown(struct problems *p, const struct toml_value *at, const char *where,
		      const char *const *names, size_t n)
{
	struct near_search s = {.word = at->key, .distance = NEAR_NONE};

	for (size_t i = 0; i < n; i++)
		near_try(&s, names[i]);
	if (s.best)
		problem_error(p, at, "invalid_body", "%s: unknown key '%s'; did you mean '%s'?",
			      where, at->key, s.best);
	else
		problem_error(p, at, "invalid_body", "%s: unknown key '%s'", where, at->key);
}

/* Takes one value. 0 or -ENOMEM. */
static int take(struct settings *c, const struct setting *s, const struct toml_value *v,
		struct problems *p)
{
	char *member = (char *)c + s->at;

	if ((int)v->type != s->type) {
		problem_error(p, v, "invalid_body", "%s.%s: must be %s", s->table, s->key,
			      type_text(s->type));
		return 0;
	}
	if (v->type == TOML_BOOLEAN) {
		*(bool *)member = v->boolean != s->inverted;
	} else if (v->type == TOML_STRING) {
		if (strlen(v->string) != v->len)
			problem_error(p, v, "invalid_body", "%s.%s: must not contain a NUL",
				      s->table, s->key);
		*(char **)member = strdup(v->string);
		if (!*(char **)member)
			return -ENOMEM;
	} else if (v->integer < s->min || v->integer > s->max) {
		problem_error(p, v, "invalid_body", "%s.%s: must be an integer from 0", s->table,
			      s->key);
	} else {
		*(uint32_t *)member = v->integer < UINT32_MAX ? (uint32_t)v->integer : UINT32_MAX;
	}
	return 0;
}

/* The tables whose keys are settings. */
static int take_table(struct settings *c, const struct toml_value *table, struct problems *p)
{
	const char *names[KEYS_MAX];
	size_t n = 0;

	for (size_t k = 0; k < N_SETTINGS; k++)
		if (!strcmp(settings[k].table, table->key))
			names[n++] = settings[k].key;
	for (size_t i = 0; i < table->n; i++) {
		const struct toml_value *v = &table->child[i];
		const struct setting *found = NULL;

		for (size_t k = 0; k < N_SETTINGS; k++)
			if (!strcmp(settings[k].table, table->key) &&
			    !strcmp(settings[k].key, v->key))
				found = &settings[k];
		if (!found)
			settings_unknown(p, v, table->key, names, n);
		else if (take(c, found, v, p))
			return -ENOMEM;
	}
	return 0;
}

/* Those of rules are checked with the rule that gets them; types also where there is none. */
static void check_defaults(const struct toml_value *table, struct problems *p)
{
	const char *names[KEYS_MAX];

	for (size_t k = 0; k < n_default_keys; k++)
		names[k] = default_keys[k].name;
	for (size_t i = 0; i < table->n; i++) {
		const struct toml_value *v = &table->child[i];
		size_t k = 0;

		while (k < n_default_keys && strcmp(names[k], v->key) != 0)
			k++;
		if (k == n_default_keys)
			settings_unknown(p, v, "defaults", names, n_default_keys);
		else if ((int)v->type != default_keys[k].type)
			problem_error(p, v, "invalid_body", "defaults.%s: must be %s", v->key,
				      type_text(default_keys[k].type));
		else if (v->type == TOML_INTEGER && (v->integer < 0 || v->integer > UINT32_MAX))
			problem_error(p, v, "invalid_body",
				      "defaults.%s: must be an integer 0..4294967295", v->key);
		else if (v->type == TOML_STRING && strcmp(v->string, "tcp") != 0 &&
			 strcmp(v->string, "udp") != 0)
			problem_error(p, v, "invalid_protocol",
				      "defaults.%s: must be \"tcp\" or \"udp\"", v->key);
	}
}

/* "127.0.0.1:9100" and "[::1]:9100"; a socket file is nobody's but this host's. */
static bool is_loopback(const char *listen)
{
	return *listen == '/' || !strncmp(listen, "127.", 4) || !strncmp(listen, "[::1]:", 6);
}

static void check_values(const struct settings *c, const struct toml_value *root,
			 struct problems *p)
{
	const struct toml_value *stats = toml_find(root, "stats"),
				*metrics = toml_find(root, "metrics");

	if (stats && stats->type == TOML_TABLE && toml_find(stats, "refresh_ms") && !c->no_stats &&
	    (c->refresh_ms < 250 || c->refresh_ms > 5000))
		problem_error(p, toml_find(stats, "refresh_ms"), "option_out_of_range",
			      "stats.refresh_ms: must be 250..5000");
	if (c->metrics_listen && !metrics_http_place_ok(c->metrics_listen))
		problem_error(p, toml_find(metrics, "listen"), "option_out_of_range",
			      "metrics.listen: must be \"ADDRESS:PORT\" or the absolute path of a "
			      "socket");
	else if (c->metrics_listen && !c->metrics_remote && !is_loopback(c->metrics_listen))
		problem_error(p, toml_find(metrics, "listen"), "option_conflict",
			      "metrics.listen: others than this host need allow_remote = true");
}

int settings_take(struct settings *c, const struct toml_value *root, struct problems *p)
{
	static const char *const tables[] = {"global", "defaults", "stats", "metrics", "rule"};

	for (size_t i = 0; i < root->n; i++) {
		const struct toml_value *v = &root->child[i];
		size_t k = 0;

		while (k < 5 && strcmp(tables[k], v->key) != 0)
			k++;
		if (k == 5)
			settings_unknown(p, v, "file", tables, 5);
		else if (k == 4)
			continue;
		else if (v->type != TOML_TABLE)
			problem_error(p, v, "invalid_body", "%s: must be a table", v->key);
		else if (k == 1)
			check_defaults(v, p);
		else if (take_table(c, v, p))
			return -ENOMEM;
	}
	if (c->drain_secs > DRAIN_MAX)
		c->drain_secs = DRAIN_MAX;
	check_values(c, root, p);
	return 0;
}

void settings_clear(struct settings *c)
{
	free(c->label);
	free(c->log_level);
	free(c->log_format);
	free(c->metrics_listen);
	free(c->socket_path);
}
