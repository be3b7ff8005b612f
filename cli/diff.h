/* SPDX-License-Identifier: MIT */
/* What makes one rule another, key by key. */
#ifndef PORTUNUS_CLI_DIFF_H
#define PORTUNUS_CLI_DIFF_H

#include <jansson.h>

/*
 * An object {"key": [was, is]} of those keys in which the bodies of two rules differ, null where a key is
 * not given. What says the same in other words is no difference; the targets are one key.
 */
json_t *rule_diff(const json_t *was, const json_t *is);

/* Prints it, two lines at most for each key. */
void rule_diff_print(const json_t *diff);

#endif
