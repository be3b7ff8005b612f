/* SPDX-License-Identifier: MIT */
/* Rules whose target is their own listener. */
#ifndef PORTUNUS_LIB_RULE_SELF_H
#define PORTUNUS_LIB_RULE_SELF_H

#include <stdbool.h>

/*
 * Whether a connection to @host, on this host and at the port that is listened on, comes back to a
 * listener at @listen (an address literal; NULL: all addresses), as far as the two texts say: loopback
 * and wildcard addresses, mapped ones, "localhost" and the same address. Other names, and addresses
 * that happen to be this host's, cannot be seen here.
 */
bool rule_leads_to_itself(const char *listen, const char *host);

#endif
