/* SPDX-License-Identifier: MIT */
/* Printing of JSON, and reading its members. */
#ifndef PORTUNUS_CLI_PRINT_H
#define PORTUNUS_CLI_PRINT_H

#include <jansson.h>

/* Prints JSON with two blanks of indentation. */
void print_json(const json_t *value);
/* Prints {"@key": value}, for verbs that say nothing to people; takes @value. */
void print_done(const char *key, json_t *value);
/* A text member, or @fallback when it is absent or null. */
const char *text_of(const json_t *o, const char *key, const char *fallback);
long long number_of(const json_t *o, const char *key);

#endif
