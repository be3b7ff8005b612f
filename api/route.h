/* SPDX-License-Identifier: MIT */
/* The table of routes, and what happens before a handler runs. */
#ifndef PORTUNUS_API_ROUTE_H
#define PORTUNUS_API_ROUTE_H

/* Finds the handler of a call; answers it if there is none or the caller may not. */
struct call;

void route_call(struct call *c);

#endif
