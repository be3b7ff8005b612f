/* SPDX-License-Identifier: MIT */
/* From argv to arguments, and the help texts made of the same table. */
#ifndef PORTUNUS_CLI_ARGS_H
#define PORTUNUS_CLI_ARGS_H

#include "cli/host.h"

#define ARGS_POSITIONAL_MAX 4
#define ARGS_OPTIONS_MAX    256
#define OPTIONS_OF_VERB_MAX 64

struct cli_option {
	const char *name;  /* without the dashes */
	const char *value; /* NULL: a flag */
	const char *help;  /* NULL: accepted for existing scripts, and not offered */
};

struct cli_args;

struct cli_verb {
	const char *name, *positional, *summary;
	int min_positional, max_positional;
	int (*run)(struct cli_args *a);
	struct cli_option options[OPTIONS_OF_VERB_MAX]; /* to the first without a name */
};

struct cli_table {
	const struct cli_verb *verbs;
	size_t n_verbs;
	const struct cli_option *globals; /* of every verb */
	size_t n_globals;
	const struct cli_option *of_api; /* of every verb that has --http-endpoint */
	size_t n_of_api;
};

/* A command line after parsing. Texts point into argv. */
struct cli_args {
	const struct cli_table *table;
	const struct cli_verb *verb;
	const struct cli_host *host;
	bool json; /* --format json */
	const char *data_dir, *advertised;
	bool data_dir_given; /* by the option or STATE_DIRECTORY */
	char *data_dir_buf;  /* owned */
	const char *positional[ARGS_POSITIONAL_MAX];
	int n_positional;
	struct {
		const char *name, *value;
	} options[ARGS_OPTIONS_MAX];
	int n_options;
};

/* Fills in @a, whose table is set: -1 to go on, else the exit code (--help, --version, usage). */
int args_parse(int argc, char **argv, struct cli_args *a);
/* The value of an option given (its last), NULL when absent; "" for a flag. */
const char *args_option(const struct cli_args *a, const char *name);
bool args_flag(const struct cli_args *a, const char *name);
bool verb_uses_api(const struct cli_verb *v);

/* Prints an error of usage and a hint at --help; returns EXIT_USAGE. */
int usage_error(const struct cli_args *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Prints "error: <code> (<message>)", or with --format json the API's envelope. Returns @code_exit. */
int cli_error(const struct cli_args *a, int code_exit, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* As cli_error(), but the text form has no code: "error: <message>". */
int cli_failure(const struct cli_args *a, int code_exit, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* "note: …" on stderr, for people: with --format json there is none. */
void cli_note(const struct cli_args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A variable of the environment that is set and not empty, or NULL. */
const char *cli_env(const char *name);
/* A whole number of @text within bounds; false otherwise. */
bool parse_u64(const char *text, unsigned long long min, unsigned long long max,
	       unsigned long long *out);

#endif
