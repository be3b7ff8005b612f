/* SPDX-License-Identifier: MIT */
/* /v1/clients/{id}/sni-listeners: the ports of an edge that route by server name. */
#ifndef PORTUNUS_API_ROUTES_SNI_H
#define PORTUNUS_API_ROUTES_SNI_H

struct call;

void sni_listeners(struct call *c);

#endif
