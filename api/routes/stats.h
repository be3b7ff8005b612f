/* SPDX-License-Identifier: MIT */
/* /v1/rules/{id}/stats */
#ifndef PORTUNUS_API_ROUTES_STATS_H
#define PORTUNUS_API_ROUTES_STATS_H

/* Handlers of /v1/rules/{id}/stats; each answers its call. */
struct call;

void stats_get(struct call *c);

#endif
