/* SPDX-License-Identifier: MIT */
/* server.toml: its keys, their defaults and checks. */
#ifndef PORTUNUS_SERVER_RUN_SETTINGS_H
#define PORTUNUS_SERVER_RUN_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/addr.h"

/* server.toml, with its defaults. Texts are owned; NULL where unset. */
struct settings {
	union addr control_listen, operator_http_listen, metrics_listen;
	char *operator_http_public_origin;
	char *operator_http_base_path;	    /* "/portunus" */
	char *trusted_proxies;		    /* blocks of addresses, one a line */
	char *tls_cert_path, *tls_key_path; /* of gRPC; never NULL */
	char *operator_http_tls_cert_path, *operator_http_tls_key_path;
	char *operator_token;
	int64_t udp_flow_idle_secs, udp_max_flows_per_rule;
	int64_t range_rule_max_ports;
	bool sni_miss_alert; /* of edges: a client that no rule wants is told so */
};

/*
 * Reads <data_dir>/server.toml, which may be absent. Returns 0, or -EINVAL (or the errno of
 * reading) with @why naming file, line and reason.
 */
int settings_read(const char *data_dir, struct settings *out, char *why, size_t why_size);
void settings_free(struct settings *s);
/* Whether others than the owner may read server.toml. */
bool settings_exposed(const char *data_dir);

/* Reads "127.0.0.1:7080" or "[::1]:0". 0 or -EINVAL. */
int settings_listen(const char *text, union addr *out);

#endif
