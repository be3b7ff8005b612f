/* SPDX-License-Identifier: MIT */
/* The roles of tokens and their words. */
#ifndef PORTUNUS_SERVER_ACCESS_ROLE_H
#define PORTUNUS_SERVER_ACCESS_ROLE_H

/* Each includes the ones before it. */
enum role { ROLE_NONE, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN };

/* "admin", "operator", "viewer"; ROLE_NONE for another word. */
enum role role_parse(const char *text);
const char *role_text(enum role role);
/* What the contract calls it: "superadmin" or "user". */
const char *role_contract_text(enum role role);

#endif
