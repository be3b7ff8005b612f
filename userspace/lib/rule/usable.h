/* SPDX-License-Identifier: MIT */
/* Addresses that no TCP or UDP service can have. */
#ifndef PORTUNUS_LIB_RULE_USABLE_H
#define PORTUNUS_LIB_RULE_USABLE_H

#include <stdbool.h>

/*
 * Whether an address literal can be listened at, or connected to, on any host. Returns NULL, or what
 * is wrong with it. What is no literal is not looked at: a name may become anything. @has_interface: it
 * is said by which one a link-local address is meant.
 */
const char *rule_check_listener(const char *address, bool has_interface);
const char *rule_check_target(const char *host);

#endif
