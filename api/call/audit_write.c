// SPDX-License-Identifier: MIT
/* Which answered calls go into the audit trail, and as what. */
#include "api/call/audit_write.h"

#include <string.h>

#include "server/access/audit.h"
#include "server/access/credentials.h"

static bool is_denial(int status, const char *code)
{
	return status == 401 || status == 403 || status == 429 ||
	       (code && !strcmp(code, "bootstrap_required"));
}

static const char *or_null(const char *text)
{
	return text && *text ? text : NULL;
}

struct store_audit audit_row(const struct audited *a)
{
	bool named = a->who->name[0];

	return (struct store_audit){
		.seq = a->seq,
		.actor = named ? a->who->name : AUDIT_ANONYMOUS,
		.role = named ? role_contract_text(a->who->role) : NULL,
		.scope = named ? role_text(a->who->role) : NULL,
		.method = a->method,
		.path = a->path,
		.outcome = is_denial(a->status, a->code) ? "deny" : "allow",
		.reason = a->code,
		.action = a->action,
		.resource_kind = or_null(a->resource) ? a->resource_kind : NULL,
		.resource_value = or_null(a->resource),
		.details = or_null(a->detail),
		.remote_addr = or_null(a->remote),
	};
}

void audit_write(struct audit *audit, const struct audited *a)
{
	struct store_audit row = audit_row(a);

	/* What only reads is not written down, unless it was refused. */
	if (strcmp(row.outcome, "deny") && (a->reads || !a->who->name[0]))
		return;
	if (strncmp(a->path, "/v1", 3))
		return;
	if (a->seq)
		audit_complete(audit, &row);
	else
		audit_add(audit, &row);
}
