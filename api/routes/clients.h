/* SPDX-License-Identifier: MIT */
/* /v1/clients and /v1/client-enrollments */
#ifndef PORTUNUS_API_ROUTES_CLIENTS_H
#define PORTUNUS_API_ROUTES_CLIENTS_H

/* Handlers of /v1/clients and /v1/client-enrollments; each answers its call. */
struct call;

void clients_list(struct call *c);
void clients_readdress(struct call *c);
void clients_delete(struct call *c);
void clients_rename(struct call *c);
void clients_revoke(struct call *c);
void clients_reenroll(struct call *c);
void clients_enroll(struct call *c);

#endif
