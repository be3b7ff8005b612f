/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_SETTINGS_H
#define PORTUNUS_SERVER_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

/* server.toml, with its defaults. Texts are owned; NULL where unset. */
struct settings {
	union addr control_listen, operator_http_listen, metrics_listen;
	char *operator_http_public_origin;
	char *tls_cert_path, *tls_key_path; /* of gRPC; never NULL */
	char *operator_http_tls_cert_path, *operator_http_tls_key_path;
	char *operator_token;
	int64_t udp_flow_idle_secs, udp_max_flows_per_rule;
	int64_t range_rule_max_ports;
};

/*
 * Reads <data_dir>/server.toml, which may be absent. Returns 0, or -EINVAL (or the errno of
 * reading) with @why naming file, line and reason.
 */
int settings_read(const char *data_dir, struct settings *out, char *why, size_t why_size);
void settings_free(struct settings *s);

/* Reads "127.0.0.1:7080" or "[::1]:0". 0 or -EINVAL. */
int settings_listen(const char *text, union addr *out);

#endif
