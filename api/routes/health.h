/* SPDX-License-Identifier: MIT */
/* /healthz and /readyz: for whoever restarts the server, and whoever sends it requests. */
#ifndef PORTUNUS_API_ROUTES_HEALTH_H
#define PORTUNUS_API_ROUTES_HEALTH_H

/* Handlers of /healthz and /readyz, which ask for no credential; each answers its call. */
struct api;
struct call;

/* NULL while the store can be asked, else what is wrong with it. */
const char *health_of_store(struct api *api);

void health_live(struct call *c);
void health_ready(struct call *c);

#endif
