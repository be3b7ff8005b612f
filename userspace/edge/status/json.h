/* SPDX-License-Identifier: MIT */
/* The local view's answers as JSON: rules with their targets, connections, the edge itself. */
#ifndef PORTUNUS_EDGE_STATUS_JSON_H
#define PORTUNUS_EDGE_STATUS_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/account/account.h"

struct conn_row;
struct flow_row;
struct json_t;
struct rule_report;
struct rule_state;
struct sni_group_view;
struct status_config;

/* Each returns a new object, or NULL for memory. */
struct json_t *status_rule_json(const struct rule_report *r, bool per_target);
/* Rows of the ports of a range by which something came; NULL for a rule with one port. */
struct json_t *status_ports_json(const struct rule_state *rs);
struct json_t *status_sni_json(const struct sni_group_view *v);
struct json_t *status_flow_json(const struct flow_row *row);
struct json_t *status_conn_json(const struct conn_row *row);
struct json_t *status_self_json(const struct status_config *c);
struct json_t *status_error_json(const char *code, const char *message);

#endif
