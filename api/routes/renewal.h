/* SPDX-License-Identifier: MIT */
/* /v1/certificate and /v1/clients/{id}/token: new ones, without an outage. */
#ifndef PORTUNUS_API_ROUTES_RENEWAL_H
#define PORTUNUS_API_ROUTES_RENEWAL_H

/* Handlers of new certificates and tokens; each answers its call. */
struct call;

void certificate_get(struct call *c);
void certificate_rotate(struct call *c);
void token_rotate(struct call *c);

#endif
