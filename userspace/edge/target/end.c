// SPDX-License-Identifier: MIT
/* How a client connection ended, in words. */
#include "edge/target/end.h"

static const char *const end_reason_texts[END_REASONS] = {
	[END_CLOSED] = "closed",
	[END_CLIENT_RESET] = "client_reset",
	[END_TARGET_RESET] = "target_reset",
	[END_NO_TARGET] = "no_target",
	[END_CLIENT_GONE] = "client_gone",
	[END_IDLE] = "idle",
	[END_HALF_CLOSED] = "half_closed",
	[END_DEAD_PEER] = "dead_peer",
	[END_DRAINED] = "drained",
	[END_KILLED] = "killed",
	[END_DENIED] = "denied",
	[END_TARGET_FAILED] = "target_failed",
	[END_NO_HEADER] = "no_header",
	[END_LOOP] = "loop",
	[END_LIMITED] = "limited",
	[END_LOCAL] = "local_error",
};

const char *end_reason_text(enum end_reason reason)
{
	return end_reason_texts[reason];
}
