/* SPDX-License-Identifier: MIT */
/* The figures of ports that route by server name, in Prometheus' text format. */
#ifndef PORTUNUS_API_ROUTES_METRICS_SNI_H
#define PORTUNUS_API_ROUTES_METRICS_SNI_H

struct evbuffer;
struct fleet;

/* "portunus_tls_client_hello_…" and "portunus_tls_sni_listener_…", and what sorts behind the families of
 * rules: "portunus_tls_sni_routes_active". */
void metrics_sni_ports(struct evbuffer *out, const struct fleet *fleet);
void metrics_sni_routes(struct evbuffer *out, const struct fleet *fleet);

#endif
