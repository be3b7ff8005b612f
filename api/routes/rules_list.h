/* SPDX-License-Identifier: MIT */
/* GET /v1/rules: the list, made a little at a time, in pages and with an entity tag. */
#ifndef PORTUNUS_API_ROUTES_RULES_LIST_H
#define PORTUNUS_API_ROUTES_RULES_LIST_H

/* Handler of GET /v1/rules; answers its call, possibly later. */
struct call;

void rules_list(struct call *c);

#endif
