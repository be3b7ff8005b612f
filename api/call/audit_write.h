/* SPDX-License-Identifier: MIT */
/* Which answered calls go into the audit trail, and as what. */
#ifndef PORTUNUS_API_CALL_AUDIT_WRITE_H
#define PORTUNUS_API_CALL_AUDIT_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/store/store.h"

/* Decides what of an answered call goes into the audit trail. */
struct audit;
struct identity;

struct audited {
	const struct identity *who; /* no name: nobody that is known */
	const char *method, *path, *remote;
	bool reads; /* the method changes nothing */
	int status;
	const char *code; /* of an error, else NULL */
	/* What was asked for, where the handler said so; NULL or "" otherwise. */
	const char *action, *resource_kind, *resource, *detail;
	uint64_t seq; /* of the row that went into the store with the change; 0: none */
};

/* The row of a call as it stands: also for the change that takes it along. */
struct store_audit audit_row(const struct audited *a);
/* Of an answered call: its row, or what the row that is stored does not say yet. */
void audit_write(struct audit *audit, const struct audited *a);

#endif
