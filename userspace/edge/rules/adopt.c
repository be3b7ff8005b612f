// SPDX-License-Identifier: MIT
/* Connections that the kernel went on relaying find their rules again. */
#include "edge/rules/adopt.h"

#include "edge/kernelrelay/entry.h"
#include "edge/kernelrelay/kernelrelay.h"
#include "edge/kernelrelay/takeover.h"
#include "edge/rules/table.h"
#include "lib/base/clock.h"

/* A rule may still come, or be taken back, within the time that connections have to drain. */
#define PATIENCE_MS_MIN 2000

static bool find(void *arg, uint64_t rule_id, uint64_t target_hash, struct service **service,
		 struct target **target)
{
	const struct rule_state *rs = rule_table_find(arg, rule_id);

	for (unsigned i = 0; rs && i < rs->service->n; i++) {
		if (relay_target_hash(rs->service->target[i]) != target_hash)
			continue;
		*service = rs->service;
		*target = rs->service->target[i];
		return true;
	}
	return false;
}

void rules_adopt(struct rule_table *t)
{
	const uint32_t drain_ms = t->config.drain_timeout_ms;
	const struct relay_finder finder = {
		.find = find,
		.arg = t,
		.patience_ns = (drain_ms > PATIENCE_MS_MIN ? drain_ms : PATIENCE_MS_MIN) *
			       NS_PER_MS,
	};

	if (t->config.kernel)
		kernel_relay_adopt(t->config.kernel, &finder);
}
