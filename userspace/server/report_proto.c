// SPDX-License-Identifier: MIT
/* From a StatsReport's messages to figures. */
#include "server/report_proto.h"

#include <stdlib.h>

#include "lib/rule.h"

static void read_kernel(const Portunus__V1__KernelStats *msg, struct kernel_figures *k)
{
	*k = (struct kernel_figures){
		.basis = msg->basis == PORTUNUS__V1__ACCOUNTING_MODE__ACCOUNTING_MODE_BPF
				 ? BASIS_ACKED
			 : msg->basis == PORTUNUS__V1__ACCOUNTING_MODE__ACCOUNTING_MODE_USER
				 ? BASIS_WRITTEN
				 : BASIS_UNKNOWN,
		.bytes_in = msg->bytes_in,
		.bytes_out = msg->bytes_out,
		.received_in = msg->received_in,
		.received_out = msg->received_out,
		.attempted = msg->attempted,
		.ok = msg->ok,
		.failed = msg->failed,
		.timed_out = msg->timed_out,
		.abandoned = msg->abandoned,
		.pending = msg->pending,
		.active = msg->active,
		.resets = msg->resets,
		.retransmits = msg->retransmits,
		.srtt_us = msg->srtt_us,
		.connect_us_sum = msg->connect_us_sum,
		.connect_us_max = msg->connect_us_max,
		.last_errno = msg->last_errno,
	};
	for (size_t i = 0; i < msg->n_connect_us_log2 && i < FIGURES_HIST; i++)
		k->connect_hist[i] = msg->connect_us_log2[i];
}

static void read_target(const Portunus__V1__PerTargetStats *msg, struct target_figures *t)
{
	*t = (struct target_figures){
		.index = msg->index,
		.consecutive_failures = msg->consecutive_failures,
		.failed = msg->health != 0,
		.drained = msg->drained,
		.last_failure_ms = msg->last_failure_at_unix_ms,
		.last_success_ms = msg->last_success_at_unix_ms,
		.health_since_ms = msg->health_since_unix_ms,
		.next_check_ms = msg->next_check_unix_ms,
		.bytes_in = msg->bytes_in,
		.bytes_out = msg->bytes_out,
		.accepted = msg->connections_accepted,
		.has_kernel = msg->kernel != NULL,
	};
	if (msg->kernel)
		read_kernel(msg->kernel, &t->kernel);
}

struct rule_figures *report_from_proto(const Portunus__V1__RuleStats *msg)
{
	size_t n = msg->n_per_target < RULE_TARGETS_MAX ? msg->n_per_target : RULE_TARGETS_MAX;
	struct rule_figures *fig = calloc(1, sizeof(*fig) + n * sizeof(fig->targets[0]));

	if (!fig)
		return NULL;
	fig->rule_id = msg->rule_id;
	fig->bytes_in = msg->bytes_in;
	fig->bytes_out = msg->bytes_out;
	fig->dns_failures = msg->dns_failures;
	fig->failovers = msg->target_failovers_total;
	fig->datagrams_in = msg->datagrams_in;
	fig->datagrams_out = msg->datagrams_out;
	fig->flows_dropped = msg->flows_dropped_overflow;
	fig->active_connections = msg->active_connections;
	fig->active_flows = msg->active_flows;
	fig->hedge_wins = msg->hedge_wins;
	fig->has_kernel = msg->kernel != NULL;
	if (msg->kernel)
		read_kernel(msg->kernel, &fig->kernel);
	fig->n_targets = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		read_target(msg->per_target[i], &fig->targets[i]);
	return fig;
}
