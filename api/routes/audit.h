/* SPDX-License-Identifier: MIT */
/* /v1/audit */
#ifndef PORTUNUS_API_ROUTES_AUDIT_H
#define PORTUNUS_API_ROUTES_AUDIT_H

/* Handlers of /v1/audit; each answers its call. */
struct call;

void audit_get(struct call *c);

#endif
