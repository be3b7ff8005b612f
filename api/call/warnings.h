/* SPDX-License-Identifier: MIT */
/* What a body says that nothing is done with: told in the answer, or an error when asked for. */
#ifndef PORTUNUS_API_CALL_WARNINGS_H
#define PORTUNUS_API_CALL_WARNINGS_H

#include <stdbool.h>

#include <jansson.h>

struct call;

/* Notes a key that nobody knows (a rule_unknown_key); @arg is the call. */
void warn_of_key(void *arg, const char *path, const char *nearest);

/*
 * With ?strict=true such a key is an error, since a typo in "hedge_delay_ms" would otherwise be found
 * out by what the rule does. True: there is one, and the call has been answered.
 */
bool warnings_refuse(struct call *c);

/* Puts them into an answer, which is given back. */
json_t *warnings_put(struct call *c, json_t *answer);

#endif
