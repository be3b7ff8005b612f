/* SPDX-License-Identifier: MIT */
/* A [[rule]] of the file as the JSON object that the one validator reads, and the way back to its place. */
#ifndef PORTUNUS_STANDALONE_CONVERT_H
#define PORTUNUS_STANDALONE_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

struct json_t;
struct problems;
struct toml_value;

/* One table [[rule]], while it becomes a rule. */
struct rule_source {
	const struct toml_value *table;
	const struct toml_value *defaults; /* of the file; NULL: none */
	const char *prefix;		   /* of messages: "rule[3]" */
	struct problems *problems;
	size_t dropped
		[16]; /* rows of targets that were left out, in the order in which that was done */
	size_t n_dropped;
};

/*
 * The rule in the shape of a rules file, without an id unless it has one of its own: a new reference, NULL for
 * memory. *@whole: nothing is missing of it, for an error that is among the problems. What is right and wrong with keys
 * and values is left to the validator.
 */
struct json_t *convert_rule(struct rule_source *s, bool *whole);

/* Where the value stands that the validator calls @path ("targets[1].host"): the nearest there is. */
const struct toml_value *convert_place(const struct rule_source *s, const char *path);

/* What the file calls the key at the beginning of @path. */
const char *convert_name(const struct rule_source *s, const char *path, size_t len);

#endif
