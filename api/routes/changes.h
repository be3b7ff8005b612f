/* SPDX-License-Identifier: MIT */
/* /v1/health-changes: which target failed or came back when, newest first. */
#ifndef PORTUNUS_API_ROUTES_CHANGES_H
#define PORTUNUS_API_ROUTES_CHANGES_H

/* Handlers of /v1/health-changes; each answers its call. */
struct call;

void changes_get(struct call *c);

#endif
