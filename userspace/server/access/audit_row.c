// SPDX-License-Identifier: MIT
/* A copy of an audit row, with texts that are short and readable. */
#include "server/access/audit_row.h"

#include <stddef.h>
#include <stdlib.h>

#include "server/store/texts.h"

/* The texts of a row, to copy them all alike. */
static const size_t texts[] = {
	offsetof(struct store_audit, actor),	     offsetof(struct store_audit, method),
	offsetof(struct store_audit, path),	     offsetof(struct store_audit, outcome),
	offsetof(struct store_audit, role),	     offsetof(struct store_audit, scope),
	offsetof(struct store_audit, reason),	     offsetof(struct store_audit, action),
	offsetof(struct store_audit, resource_kind), offsetof(struct store_audit, resource_value),
	offsetof(struct store_audit, details),	     offsetof(struct store_audit, remote_addr),
};
#define N_TEXTS (sizeof(texts) / sizeof(texts[0]))

struct audit_row *audit_row_copy(const struct store_audit *row)
{
	struct audit_row *copy = malloc(sizeof(*copy) + texts_size(row, texts, N_TEXTS));

	if (!copy)
		return NULL;
	copy->row = *row;
	texts_keep(&copy->row, texts, N_TEXTS, copy->text);
	return copy;
}
