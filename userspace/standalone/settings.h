/* SPDX-License-Identifier: MIT */
/* The tables of a configuration file that are no rules. */
#ifndef PORTUNUS_STANDALONE_SETTINGS_H
#define PORTUNUS_STANDALONE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct problems;
struct toml_value;

#define SETTINGS_SOCKET "/run/portunus/standalone.sock"

/* Owned by the configuration. */
struct settings {
	char *label; /* NULL: none */
	char *log_level, *log_format;
	char *metrics_listen; /* NULL: nowhere */
	char *socket_path;    /* NULL: SETTINGS_SOCKET */
	uint32_t drain_secs, refresh_ms;
	bool start_partial, no_stats, metrics_remote;
};

/* What holds without a word in the file. */
extern const struct settings settings_default;

/* Takes [global], [stats] and [metrics] into @c, and says what else of @root is wrong or unknown. 0 or -ENOMEM. */
int settings_take(struct settings *c, const struct toml_value *root, struct problems *p);

void settings_clear(struct settings *c);

/* A key of [defaults] that a rule without it gets. */
struct default_key {
	const char *name;
	int type; /* enum toml_type */
	bool tcp, udp;
	bool zero_is_none;
};

extern const struct default_key default_keys[];
extern const size_t n_default_keys;

/* Says of an unknown key which of @names was probably meant. */
void settings_unknown(struct problems *p, const struct toml_value *at, const char *where,
		      const char *const *names, size_t n);

#endif
