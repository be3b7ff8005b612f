/* SPDX-License-Identifier: MIT */
/* The grammar of hosts and of client names, and when two hosts are the same. */
#ifndef PORTUNUS_LIB_RULE_HOST_H
#define PORTUNUS_LIB_RULE_HOST_H

#include <stdbool.h>

/*
 * Compares two host texts as the duplicate check does: names case-insensitively and without their
 * trailing dot, literals by address ("[::1]" is "[0:0::1]").
 */
bool rule_host_equal(const char *a, const char *b);

/* Whether both are also asked for in the same way: a name with a final dot is absolute. */
bool rule_host_same(const char *a, const char *b);

/*
 * Checks a host by the grammar of the contract (IPv4, bracketed IPv6, or a name). Returns NULL or
 * a static text that says what is wrong; @suffix, if not NULL, gets the contract's code suffix for
 * the legacy shape ("", "_too_long", "_label_too_long", "_label_hyphen").
 */
const char *rule_check_host(const char *host, const char **suffix);

/* The same for a target: a link-local IPv6 address may have its zone; a name may have underscores, as those of
 * services and containers do. In both shapes: a rule with one target is stored and sent in the legacy one. */
const char *rule_check_target_host(const char *host, const char **suffix);

/* Checks a client's display name (400 invalid_name; utf8_is_name()). Returns NULL or what is wrong. */
const char *rule_check_client(const char *name);

#endif
