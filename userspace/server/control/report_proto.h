/* SPDX-License-Identifier: MIT */
/* From a StatsReport's messages to figures. */
#ifndef PORTUNUS_SERVER_CONTROL_REPORT_PROTO_H
#define PORTUNUS_SERVER_CONTROL_REPORT_PROTO_H

#include "lib/wire/portunus.pb-c.h"
#include "server/fleet/report.h"
#include "server/fleet/sni.h"

/* What the caps of a rule or an owner have done. */
void caps_from_proto(const Portunus__V1__RateLimitStats *msg, struct caps_figures *out);

/* Decodes what an edge reports of one rule. A new struct for free(), or NULL for memory. */
struct rule_figures *report_from_proto(const Portunus__V1__RuleStats *msg);
/* The same of a port that routes by server name. */
struct sni_figures sni_from_proto(const Portunus__V1__SniListenerStats *msg);

#endif
