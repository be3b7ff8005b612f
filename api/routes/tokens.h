/* SPDX-License-Identifier: MIT */
/* /v1/tokens: operators' named tokens. */
#ifndef PORTUNUS_API_ROUTES_TOKENS_H
#define PORTUNUS_API_ROUTES_TOKENS_H

/* Handlers of /v1/tokens; each answers its call. */
struct call;

void tokens_list(struct call *c);
void tokens_add(struct call *c);
void tokens_revoke(struct call *c);

#endif
