/* SPDX-License-Identifier: MIT */
/* Patterns of server names, and what rules that share a port need to differ in. */
#ifndef PORTUNUS_LIB_RULE_SNI_H
#define PORTUNUS_LIB_RULE_SNI_H

#include <stdbool.h>

struct rule;

#define SNI_PATTERN_MAX 253

/*
 * Checks a pattern: a name, or "*." and a name of at least two labels, which stands for exactly one label
 * in front of it. @out gets it in lower case, without the blanks around it. Returns NULL, or a static text
 * that says what is wrong. An address is none, since RFC 6066 (3) forbids addresses as server names; an
 * international name has to be in its "xn--" form.
 */
const char *rule_check_sni(const char *text, char out[SNI_PATTERN_MAX + 1]);

/*
 * Whether two rules for the same listener can both be served: by one of them having a pattern, and the
 * other none or another one.
 */
bool rule_sni_differs(const struct rule *a, const struct rule *b);

#endif
