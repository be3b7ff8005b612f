/* SPDX-License-Identifier: MIT */
/* Which rules a caller may see. */
#ifndef PORTUNUS_API_CALL_SCOPE_H
#define PORTUNUS_API_CALL_SCOPE_H

#include <stdbool.h>

struct call;
struct fleet_rule;

/* Operators see their own rules; viewers and admins all of them. */
bool call_may_see(const struct call *c, const struct fleet_rule *r);
/* The rule that a path names, or NULL and the call has been answered (400, 404, 403). */
struct fleet_rule *call_rule(struct call *c);

#endif
