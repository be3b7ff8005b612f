/* SPDX-License-Identifier: MIT */
/* /v1/rules/{id}/flows */
#ifndef PORTUNUS_API_ROUTES_FLOWS_H
#define PORTUNUS_API_ROUTES_FLOWS_H

struct call;

/* The flows that a UDP rule has now, as its edge tells them. */
void flows_get(struct call *c);

#endif
