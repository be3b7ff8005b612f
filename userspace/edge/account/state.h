/* SPDX-License-Identifier: MIT */
/* The parts of an open account, for account.c and for tests that look inside. */
#ifndef PORTUNUS_EDGE_ACCOUNT_STATE_H
#define PORTUNUS_EDGE_ACCOUNT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/account/collect.h"
#include "edge/account/load.h"
#include "edge/account/moved.h"
#include "edge/account/pins.h"
#include "edge/account/refresh.h"
#include "edge/account/slots.h"
#include "edge/account/table.h"
#include "edge/account/tag.h"

struct ring_buffer;

/* The parts of an open account; for account.c, and for tests that look inside. */
struct account {
	bool in_kernel; /* or nothing below does anything: ACCOUNT_USER */
	char reason[512];
	size_t opened_reason; /* length of what was said at the opening */
	struct account_move move;
	void (*event)(void *arg, uint64_t slot, int kind, int error);
	void *arg;
	struct account_pins pins;
	struct account_kernel kernel;
	struct ring_buffer *events;
	struct account_tagger tagger;
	struct slot_table table;
	struct account_collector collector;
	struct account_refreshes refreshes;
	struct account_slots slots;
};

#endif
