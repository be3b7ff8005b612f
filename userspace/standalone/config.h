/* SPDX-License-Identifier: MIT */
/* The configuration file of portunus-standalone: its settings, and the rules by name. */
#ifndef PORTUNUS_STANDALONE_CONFIG_H
#define PORTUNUS_STANDALONE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "standalone/settings.h"

struct problems;
struct rule;

/* What the file calls a rule. */
struct config_rule {
	char *name;
	uint64_t id; /* the edge's */
	uint64_t
		shown_id; /* what readers of the stats socket know it by: the whole hash of the name */
};

/* One file, read. Owned by whoever read it. */
struct config {
	struct settings settings;
	struct config_rule *names; /* of the rules that are served, in the order of the file */
	struct rule **rules;	   /* the same ones; NULL when somebody has taken them */
	size_t n;
};

/*
 * Reads the file at @path. Returns the configuration, which standalone_free_config() frees, or NULL with at least one error
 * among @p; warnings there may be either way. Any thread.
 */
struct config *standalone_read_config(const char *path, struct problems *p);
/* The same of @len bytes in memory. */
struct config *standalone_parse_config(const char *text, size_t len, struct problems *p);
void standalone_free_config(struct config *c);

/* The rules, which are the caller's from now on (rules_free()). */
struct rule **standalone_take_rules(struct config *c);

#endif
