/* SPDX-License-Identifier: MIT */
/* /v1/rules: one rule at a time. */
#ifndef PORTUNUS_API_ROUTES_RULES_H
#define PORTUNUS_API_ROUTES_RULES_H

/* Handlers of one rule, and of pushing one; each answers its call. */
struct call;

void rules_get(struct call *c);
void rules_push(struct call *c);
void rules_update(struct call *c);
void rules_remove(struct call *c);
void rules_failback(struct call *c);

#endif
