/* SPDX-License-Identifier: MIT */
/* How long flows may be idle and how many a rule may have, where the rule itself does not say. */
#ifndef PORTUNUS_EDGE_FLOW_LIMITS_H
#define PORTUNUS_EDGE_FLOW_LIMITS_H

#include <stdatomic.h>

#define FLOW_IDLE_SECS 60
#define FLOWS_PER_RULE 1024

/* Written by the main thread, read by the workers. */
struct flow_limits {
	atomic_uint idle_secs, max_flows;
};

#endif
