/* SPDX-License-Identifier: MIT */
/* /metrics and /v1/metrics: the Prometheus text of everything that is exported. */
#ifndef PORTUNUS_API_ROUTES_METRICS_H
#define PORTUNUS_API_ROUTES_METRICS_H

/* Handlers of /metrics and /v1/metrics; each answers its call. */
struct call;

void metrics_get(struct call *c);

#endif
