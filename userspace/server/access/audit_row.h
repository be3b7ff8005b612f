/* SPDX-License-Identifier: MIT */
/* A copy of an audit row, with texts that are short and readable. */
#ifndef PORTUNUS_SERVER_ACCESS_AUDIT_ROW_H
#define PORTUNUS_SERVER_ACCESS_AUDIT_ROW_H

#include <sys/queue.h>

#include "server/store/store.h"

/* A row that lives by itself: its texts lie behind it. */
struct audit_row {
	STAILQ_ENTRY(audit_row) next;
	struct store_audit row;
	char text[];
};

/* Each text is cut at a character, at STORE_TEXT_MAX bytes, and is UTF-8. For free(); NULL for memory. */
struct audit_row *audit_row_copy(const struct store_audit *row);

#endif
