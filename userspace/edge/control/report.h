/* SPDX-License-Identifier: MIT */
/* Figures of rules as the messages that servers know. */
#ifndef PORTUNUS_EDGE_CONTROL_REPORT_H
#define PORTUNUS_EDGE_CONTROL_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/account/account.h"
#include "edge/conn/sni_port.h"
#include "edge/watch/report.h"
#include "edge/control/port_rows.h"
#include "lib/wire/portunus.pb-c.h"

/*
 * Rules of one report message. The largest rule (8 targets, every figure at its longest) packs into
 * about 7 KiB, so a message stays far below the 4 MiB that peers refuse; a usual one is some 20 KiB.
 */
#define REPORT_RULES 64
/* Owners of one message: an id is a few hundred bytes at most. */
#define REPORT_OWNERS 256

struct report_message;

struct report_head {
	uint64_t request_id; /* 0: nobody asked */
	uint64_t epoch;	     /* account_epoch() */
	enum account_mode mode;
	const char *mode_reason; /* why not BPF, or not all of it; "" */
	uint64_t worker_stalls;
	bool more; /* another message of the same report follows */
};

/* Room for one message. NULL for memory. Main thread, as all of it. */
struct report_message *report_message_new(void);
void report_message_free(struct report_message *m);

/* So many rows of ports a message has about: two megabytes, with those of the rule that made it so many. */
#define REPORT_PORTS 20000

/* Adds a rule's figures; @unassigned may be NULL. Texts are borrowed from the report. False: full. */
bool report_message_add(struct report_message *m, const struct rule_report *r,
			const struct account_record *unassigned);
/* Adds rows of ports to the rule that was added last. */
void report_message_add_ports(struct report_message *m, const struct rule_state *rs,
			      enum port_choice which);
/* Rows of ports added so far. */
size_t report_message_ports(const struct report_message *m);
/* Adds an owner's. @owner is borrowed until the message is sent. False: full. */
bool report_message_add_owner(struct report_message *m, const char *owner,
			      const struct envelope_figures *figures);
/* Adds what a port that routes by server name counts. Without memory it is left out. */
void report_message_add_sni(struct report_message *m, uint16_t port, const struct sni_sums *sums);
unsigned report_message_rules(const struct report_message *m);

/* The message to send, which lives in @m until report_message_clear(). */
Portunus__V1__StatsReport *report_message_get(struct report_message *m,
					      const struct report_head *head);
void report_message_clear(struct report_message *m);

#endif
