/* SPDX-License-Identifier: MIT */
/* Signing in and out in a browser, and who one is. */
#ifndef PORTUNUS_API_ROUTES_SESSION_H
#define PORTUNUS_API_ROUTES_SESSION_H

/* Handlers of /v1/auth: signing in and out, and /v1/users/me; each answers its call. */
struct call;

void identity_me(struct call *c);
void session_status(struct call *c);
void session_login(struct call *c);
void session_logout(struct call *c);

#endif
