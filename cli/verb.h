/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_CLI_VERB_H
#define PORTUNUS_CLI_VERB_H

#include <jansson.h>

#include "cli/cli.h"

/* What the files of cli/ share. */

#define ARGS_POSITIONAL_MAX 4
#define ARGS_OPTIONS_MAX    64
#define OPTIONS_OF_VERB_MAX 24
#define DEFAULT_ENDPOINT    "127.0.0.1:7080"

struct cli_option {
	const char *name;  /* without the dashes */
	const char *value; /* NULL: a flag */
	const char *help;
};

struct cli_args;

struct cli_verb {
	const char *name, *positional, *summary;
	int min_positional, max_positional;
	int (*run)(struct cli_args *a);
	struct cli_option options[OPTIONS_OF_VERB_MAX]; /* to the first without a name */
};

/* A command line after parsing. Texts point into argv. */
struct cli_args {
	const struct cli_verb *verb;
	const struct cli_host *host;
	const char *data_dir, *advertised;
	char *data_dir_buf; /* owned */
	const char *positional[ARGS_POSITIONAL_MAX];
	int n_positional;
	struct {
		const char *name, *value;
	} options[ARGS_OPTIONS_MAX];
	int n_options;
};

extern const struct cli_verb cli_verbs[];
extern const size_t cli_n_verbs;
extern const struct cli_option cli_global_options[];
extern const size_t cli_n_global_options;

/* options.c: -1 to go on, else the exit code (--help, --version, usage). */
int args_parse(int argc, char **argv, struct cli_args *a);
/* The value of an option given (its last), NULL when absent; "" for a flag. */
const char *args_option(const struct cli_args *a, const char *name);
bool args_flag(const struct cli_args *a, const char *name);
/* Whether --format json. Any other word but "text" was a usage error already. */
bool args_json(const struct cli_args *a);
/* Prints "error: …" and a hint at --help; returns EXIT_USAGE. */
int usage_error(const struct cli_args *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Prints "error: <code> (<message>)". Returns @code_exit. */
int cli_error(int code_exit, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A whole number of @text within bounds; false otherwise. */
bool parse_u64(const char *text, unsigned long long min, unsigned long long max,
	       unsigned long long *out);

/* request.c */
enum via { VIA_API, VIA_STORE_FIRST };
/*
 * Makes one API call: over HTTP, or on the store itself where @via allows it, no endpoint was named
 * and no server holds the store. @body is taken (NULL: none). On a success (2xx) returns 0 and, if
 * @out is not NULL, the JSON answer (NULL when empty). Else prints the error and returns the exit
 * code.
 */
int api_call(struct cli_args *a, enum via via, const char *method, const char *target, json_t *body,
	     json_t **out);
/* The exit code for an error of the API. */
int exit_of(int status, const char *code);
/*
 * Follows a stream: calls @event with each event's data until the stream ends or @event returns
 * non-zero. Prints errors. Returns the exit code.
 */
int api_stream(struct cli_args *a, const char *target, int (*event)(void *arg, const char *data),
	       void *arg);
/* Percent-encodes a text for a query or path; owned by the caller. */
char *url_encode(const char *text);

/* table.c: a line of left-justified cells, by code points, one blank between, padding kept. */
void table_line(const int *widths, const char *const *cells, int n);
/* Prints JSON with two blanks of indentation. */
void print_json(const json_t *value);
/* A text member, or @fallback when it is absent or null. */
const char *text_of(const json_t *o, const char *key, const char *fallback);
long long number_of(const json_t *o, const char *key);

/* The verbs. */
int verb_serve(struct cli_args *a);
int verb_push_rule(struct cli_args *a);
int verb_remove_rule(struct cli_args *a);
int verb_list_rules(struct cli_args *a);
int verb_rule_stats(struct cli_args *a);
int verb_list_clients(struct cli_args *a);
int verb_enroll_client(struct cli_args *a);
int verb_revoke(struct cli_args *a);
int verb_rename_client(struct cli_args *a);
int verb_gen_token(struct cli_args *a);
int verb_bootstrap(struct cli_args *a);
int verb_token_add(struct cli_args *a);
int verb_token_list(struct cli_args *a);
int verb_token_revoke(struct cli_args *a);
int verb_completion(struct cli_args *a);

#endif
