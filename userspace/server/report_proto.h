/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_REPORT_PROTO_H
#define PORTUNUS_SERVER_REPORT_PROTO_H

#include "lib/portunus.pb-c.h"
#include "server/report.h"

/* Decodes what an edge reports of one rule. A new struct for free(), or NULL for memory. */
struct rule_figures *report_from_proto(const Portunus__V1__RuleStats *msg);

#endif
