/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_CONTROL_REPORT_H
#define PORTUNUS_EDGE_CONTROL_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/account.h"
#include "edge/report.h"
#include "lib/portunus.pb-c.h"

/*
 * Rules of one report message. The largest rule (8 targets, every figure at its longest) packs into
 * about 7 KiB, so a message stays far below the 4 MiB that peers refuse; a usual one is some 20 KiB.
 */
#define REPORT_RULES 64

struct report_message;

struct report_head {
	uint64_t request_id; /* 0: nobody asked */
	uint64_t epoch;	     /* account_epoch() */
	enum account_mode mode;
	const char *mode_reason; /* why not BPF, or not all of it; "" */
	bool more;		 /* another message of the same report follows */
};

/* Room for one message. NULL for memory. Main thread, as all of it. */
struct report_message *report_message_new(void);
void report_message_free(struct report_message *m);

/* Adds a rule's figures; @unassigned may be NULL. Texts are borrowed from the report. False: full. */
bool report_message_add(struct report_message *m, const struct rule_report *r,
			const struct account_record *unassigned, enum account_mode mode);
unsigned report_message_rules(const struct report_message *m);

/* The message to send, which lives in @m until report_message_clear(). */
Portunus__V1__StatsReport *report_message_get(struct report_message *m,
					      const struct report_head *head);
void report_message_clear(struct report_message *m);

#endif
