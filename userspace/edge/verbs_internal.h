/* SPDX-License-Identifier: MIT */
/* What the verbs share: the parsed command line, the question to the daemon, texts and tables. */
#ifndef PORTUNUS_EDGE_VERBS_INTERNAL_H
#define PORTUNUS_EDGE_VERBS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_t;

/* One command line. Strings point into argv or to static text. */
struct verb_call {
	const char *name; /* of the verb */
	const char *instance;
	char socket[128];
	const char *bpffs;
	const char *uri, *out; /* enroll */
	bool json, per_target, watch, kill;
	bool has_rule;
	uint64_t rule_id;
	unsigned index;
};

int verb_stats(const struct verb_call *call);
int verb_connections(const struct verb_call *call);
int verb_status(const struct verb_call *call);
int verb_drain(const struct verb_call *call);
int verb_undrain(const struct verb_call *call);
int verb_unpin(const struct verb_call *call);
int verb_enroll(const struct verb_call *call);

/* ---- asking ---- */

/*
 * Sends @request (taken over; may be NULL for want of memory) to the daemon. Returns its answer as
 * text, with a newline at its end, to be freed; or NULL when the reason is on stderr already, an error
 * that the daemon answered included.
 */
char *verb_ask(const struct verb_call *call, struct json_t *request);
/* As verb_ask(), parsed. */
struct json_t *verb_ask_json(const struct verb_call *call, struct json_t *request);

/* Whether a daemon answers on the socket. */
bool verb_daemon_lives(const struct verb_call *call);

/* ---- showing ---- */

struct show {
	uint64_t now_ms; /* wall clock, for relative times */
	bool per_target;
	/* For rates: the answer before, or NULL, and how long ago it was. */
	const struct json_t *before;
	uint64_t elapsed_ms;
};

void show_stats(FILE *out, const struct json_t *answer, const struct show *how);
void show_connections(FILE *out, const struct json_t *answer);
void show_status(FILE *out, const struct json_t *answer);

/* Writes no more than @rows lines of @columns characters, over what the terminal showed before. */
void show_on_terminal(FILE *out, const char *text, unsigned rows, unsigned columns);

/* ---- texts; each returns @buf ---- */

#define TEXT_SIZE 32

char *text_bytes(uint64_t n, char *buf); /* "0 B", "1.5 KiB", "123 MiB" */
char *text_span(uint64_t ms, char *buf); /* "350 ms", "12 s", "3 min", "2 h", "5 d" */
char *text_since(uint64_t then_ms, uint64_t now_ms, char *buf); /* "12 s ago", "-" for never */
char *text_until(uint64_t then_ms, uint64_t now_ms, char *buf); /* "in 4 s", "-" for never */
char *text_us(uint64_t us, char *buf); /* "85 us", "1.9 ms", "-" for unknown */

/* ---- tables ---- */

struct column {
	const char *title;
	bool right; /* numbers */
};

/* Cells by row, each as wide as its column's widest. All zero but for the columns: empty. */
struct table {
	const struct column *columns;
	unsigned n_columns;
	char **cells;
	size_t n, room;
	bool failed; /* for want of memory: prints nothing */
};

void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* With the titles; without trailing blanks. Empties the table. */
void table_print(struct table *t, FILE *out);

#endif
