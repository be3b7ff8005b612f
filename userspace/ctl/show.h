/* SPDX-License-Identifier: MIT */
/* The daemon's answers as people read them: rules, their targets, connections, the edge itself. */
#ifndef PORTUNUS_CTL_SHOW_H
#define PORTUNUS_CTL_SHOW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_t;

struct show {
	uint64_t now_ms; /* wall clock, for relative times */
	bool per_target, per_port;
	/* For rates: the answer before, or NULL, and how long ago it was. */
	const struct json_t *before;
	uint64_t elapsed_ms;
};

void show_stats(FILE *out, const struct json_t *answer, const struct show *how);
void show_connections(FILE *out, const struct json_t *answer);
void show_flows(FILE *out, const struct json_t *answer);
void show_status(FILE *out, const struct json_t *answer);

/* Writes no more than @rows lines of @columns columns, over what the terminal showed before. */
void show_on_terminal(FILE *out, const char *text, unsigned rows, unsigned columns);

#endif
