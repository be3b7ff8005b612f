// SPDX-License-Identifier: MIT
/* From a StatsReport's messages to figures. */
#include "server/control/report_proto.h"

#include <stdlib.h>

#include "lib/base/utf8.h"
#include "lib/rule/rule.h"

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
		.takes_new = msg->takes_new,
		.last_failure_ms = msg->last_failure_at_unix_ms,
		.last_success_ms = msg->last_success_at_unix_ms,
		.health_since_ms = msg->health_since_unix_ms,
		.next_check_ms = msg->next_check_unix_ms,
		.bytes_in = msg->bytes_in,
		.bytes_out = msg->bytes_out,
		.accepted = msg->connections_accepted,
		.has_kernel = msg->kernel != NULL,
	};
	utf8_format(t->cause, sizeof(t->cause), "%s", msg->cause);
	if (msg->kernel)
		read_kernel(msg->kernel, &t->kernel);
}

void caps_from_proto(const Portunus__V1__RateLimitStats *msg, struct caps_figures *out)
{
	*out = (struct caps_figures){
		.throttled_us_in = msg->throttle_micros_in,
		.throttled_us_out = msg->throttle_micros_out,
		.datagrams_dropped = msg->datagrams_dropped,
		.active_connections = msg->active_connections,
	};
	for (size_t i = 0; i < msg->n_reject_total; i++) {
		unsigned reason = (unsigned)msg->reject_total[i]->reason;

		/* A reason that is not known yet is in nobody's row. */
		if (reason >= 1 && reason <= CAPS_REFUSALS)
			out->refused[reason - 1] += msg->reject_total[i]->total;
	}
}

static int by_port(const void *a, const void *b)
{
	return ((const struct port_figures *)a)->port - ((const struct port_figures *)b)->port;
}

static void read_ports(const Portunus__V1__RuleStats *msg, struct port_figures *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ports[i] = (struct port_figures){
			.port = (uint16_t)msg->per_port[i]->listen_port,
			.bytes_in = msg->per_port[i]->bytes_in,
			.bytes_out = msg->per_port[i]->bytes_out,
			.datagrams_in = msg->per_port[i]->datagrams_in,
			.datagrams_out = msg->per_port[i]->datagrams_out,
			.active_connections = msg->per_port[i]->active_connections,
		};
	qsort(ports, n, sizeof(*ports), by_port);
}

struct rule_figures *report_from_proto(const Portunus__V1__RuleStats *msg)
{
	size_t n = msg->n_per_target < RULE_TARGETS_MAX ? msg->n_per_target : RULE_TARGETS_MAX;
	size_t n_ports = msg->n_per_port < UINT16_MAX ? msg->n_per_port : UINT16_MAX;
	struct rule_figures *fig = calloc(1, sizeof(*fig) + n * sizeof(fig->targets[0]) +
						     n_ports * sizeof(fig->ports[0]));
	struct port_figures *ports;

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
	fig->flows_pending_drops = msg->flows_pending_drops;
	fig->flows_moved = msg->flows_moved;
	fig->denied = msg->denied;
	fig->active_connections = msg->active_connections;
	fig->active_flows = msg->active_flows;
	fig->in_kernel = msg->in_kernel < msg->active_connections ? msg->in_kernel
								  : msg->active_connections;
	fig->hedge_wins = msg->hedge_wins;
	fig->sni_exact = msg->sni_route_exact_total;
	fig->sni_wildcard = msg->sni_route_wildcard_total;
	fig->sni_fallback = msg->sni_route_fallback_total;
	fig->has_kernel = msg->kernel != NULL;
	if (msg->kernel)
		read_kernel(msg->kernel, &fig->kernel);
	fig->has_caps = msg->rate_limit != NULL;
	if (msg->rate_limit)
		caps_from_proto(msg->rate_limit, &fig->caps);
	fig->n_targets = (uint32_t)n;
	/* Behind the targets, whose size is a multiple of what ports need. */
	ports = (struct port_figures *)&fig->targets[n];
	read_ports(msg, ports, n_ports);
	fig->ports = ports;
	fig->n_ports = (uint32_t)n_ports;
	for (size_t i = 0; i < n; i++)
		read_target(msg->per_target[i], &fig->targets[i]);
	return fig;
}

struct sni_figures sni_from_proto(const Portunus__V1__SniListenerStats *msg)
{
	struct sni_figures s = {
		.port = msg->listen_port,
		.missed = msg->sni_route_miss_total,
		.failed = msg->client_hello_parse_failures_total,
		.rejected = msg->peek_rejected_total,
		.took_us = msg->client_hello_peek_sum_micros,
		.n = msg->client_hello_peek_count,
	};

	for (size_t i = 0; i < msg->n_client_hello_peek_bucket_counts && i < SNI_BUCKETS; i++)
		s.bucket[i] = msg->client_hello_peek_bucket_counts[i];
	return s;
}
