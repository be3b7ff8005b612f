/* SPDX-License-Identifier: MIT */
/* /v1/events: what happened to rules, targets and edges, newest first. */
#ifndef PORTUNUS_API_ROUTES_EVENTS_H
#define PORTUNUS_API_ROUTES_EVENTS_H

/* Handler of /v1/events; answers its call. */
struct call;

void events_get(struct call *c);

#endif
