/* SPDX-License-Identifier: MIT */
/* /v1/clients/ID/owners: whose rules an edge has, and the caps of each owner over all of them. */
#ifndef PORTUNUS_API_ROUTES_OWNERS_H
#define PORTUNUS_API_ROUTES_OWNERS_H

struct call;

void owners_list(struct call *c);
void owner_caps_get(struct call *c);
void owner_caps_put(struct call *c);
void owner_caps_delete(struct call *c);

#endif
