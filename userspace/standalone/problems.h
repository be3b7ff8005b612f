/* SPDX-License-Identifier: MIT */
/* What is wrong with a configuration file: every error and warning with its place. */
#ifndef PORTUNUS_STANDALONE_PROBLEMS_H
#define PORTUNUS_STANDALONE_PROBLEMS_H

#include <stddef.h>

#define PROBLEMS_MAX 20 /* of each kind; more are counted only */

struct problem {
	int line, column; /* from 1; 0: of the whole file */
	char code[48];
	char message[320];
};

struct problem_list {
	struct problem list[PROBLEMS_MAX]; /* in the order of the file, once they are sorted */
	size_t n;			   /* all, also those that found no room */
};

/* All zero: none. */
struct problems {
	struct problem_list errors, warnings;
};

struct toml_value;

/* Adds one, at a value's place, or with NULL of the whole file. */
void problem_error(struct problems *p, const struct toml_value *at, const char *code,
		   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void problem_warning(struct problems *p, const struct toml_value *at, const char *code,
		     const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Sorts them by their place. */
void problems_sort(struct problems *p);
/* On stderr, as FILE:LINE:COLUMN: code: message; errors end with how many more there are. */
void problems_print(const struct problems *p, const char *path);

#endif
