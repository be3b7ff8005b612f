// SPDX-License-Identifier: MIT
/* Which rules a caller may see. */
#include "api/call/scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/call/call.h"
#include "api/call/deny.h"
#include "server/fleet/model.h"

bool call_may_see(const struct call *c, const struct fleet_rule *r)
{
	return c->who.role != ROLE_OPERATOR || !strcmp(r->rule->owner, c->who.name);
}

struct fleet_rule *call_rule(struct call *c)
{
	struct fleet_rule *r;
	uint64_t id;
	char *end;

	errno = 0;
	id = strtoull(c->param, &end, 10);
	if (*c->param < '0' || *c->param > '9' || *end || errno) {
		call_error(c, 400, "invalid_id", "invalid_id: '%s' is not a rule id", c->param);
		return NULL;
	}
	c->resource_kind = "rule";
	snprintf(c->resource, sizeof(c->resource), "%llu", (unsigned long long)id);
	r = fleet_rule(c->api->fleet, id);
	if (!r) {
		call_error(c, 404, "rule_not_found", "rule_not_found: there is no rule %llu",
			   (unsigned long long)id);
		return NULL;
	}
	if (!call_may_see(c, r)) {
		deny(c, 403, "not_owner", "not_owner: the rule belongs to another token");
		return NULL;
	}
	return r;
}
