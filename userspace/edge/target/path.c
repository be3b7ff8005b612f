// SPDX-License-Identifier: MIT
/* Which way a connection's bytes take, and why not through the kernel. */
#include "edge/target/path.h"

static const char *const texts[PATH_REASONS] = {
	[PATH_KERNEL] = "kernel",
	[PATH_ASKED] = "asked",
	[PATH_UNAVAILABLE] = "unavailable",
	[PATH_YOUNG] = "young",
	[PATH_DISTANT] = "distant",
	[PATH_OPTIONS] = "options",
	[PATH_CAPPED] = "capped",
	[PATH_FAMILY] = "family",
	[PATH_NO_SLOT] = "no_slot",
	[PATH_ENDING] = "ending",
	[PATH_LOCAL] = "local_error",
	[PATH_UNREAD] = "unread",
	[PATH_UNSENT] = "unsent",
	[PATH_UNACKNOWLEDGED] = "unacknowledged",
	[PATH_BETWEEN] = "between",
	[PATH_UNSEEN] = "unseen",
	[PATH_ACK_OWED] = "ack_owed",
	[PATH_RACE] = "race",
	[PATH_LOSS] = "loss",
	[PATH_STATE] = "state",
	[PATH_TIMESTAMPS] = "timestamps",
	[PATH_CLOCK] = "clock",
	[PATH_SACK] = "sack",
	[PATH_ECN] = "ecn",
	[PATH_MSS] = "mss",
	[PATH_ROUTE] = "route",
	[PATH_NEIGHBOUR] = "neighbour",
	[PATH_SIGNED] = "signed",
	[PATH_MPTCP] = "mptcp",
	[PATH_URGENT] = "urgent",
	[PATH_SLOT] = "slot",
};

const char *path_reason_text(enum path_reason reason)
{
	return texts[reason];
}
