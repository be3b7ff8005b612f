/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_ACCESS_H
#define PORTUNUS_SERVER_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/secret.h"

/* Who may do what: operator tokens with a name and a role, and browser sessions made from them. */
struct access;
struct store;

#define ACCESS_NAME_SIZE	65
#define ACCESS_LEGACY		"_legacy"     /* the operator_token of server.toml */
#define ACCESS_SUPERADMIN	"_superadmin" /* made by bootstrap-superadmin */
#define ACCESS_TOKEN_MAX	256
#define ACCESS_SESSION_IDLE_SEC (8 * 3600)
#define ACCESS_SESSION_MAX_SEC	(7 * 86400)

/* Each includes the ones before it. */
enum role { ROLE_NONE, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN };

struct identity {
	char name[ACCESS_NAME_SIZE];
	enum role role;
};

struct access_token {
	struct identity who;
	char hash[SECRET_HASH_SIZE];
	uint64_t created_ms, revoked_ms;
};

/* Reads what the store has. NULL after a failure of store or memory. */
struct access *access_new(struct store *store);
void access_free(struct access *a);

/* Whether an admin exists; without one nobody can do anything. */
bool access_bootstrapped(const struct access *a);

/* Who a secret belongs to. 0 or -EACCES. Compares in constant time. */
int access_bearer(struct access *a, const char *token, struct identity *who);
int access_session(struct access *a, const char *secret, struct identity *who);

/* Makes a session for the owner of a token: 0, -EACCES, or the store's errno. */
int access_login(struct access *a, const char *token, char secret[SECRET_TEXT_SIZE],
		 struct identity *who);
int access_logout(struct access *a, const char *secret);

/*
 * Adds a token; with @secret NULL makes one into @made. -EEXIST: a live token has that name;
 * -EINVAL: the name or the length of the secret.
 */
int access_token_add(struct access *a, const char *name, enum role role, const char *secret,
		     char made[SECRET_TEXT_SIZE]);
/* Also ends its sessions. -ENOENT; -EBUSY: it is the last admin's. */
int access_token_revoke(struct access *a, const char *name);
/* Sorted by name, the revoked ones too. */
const struct access_token *access_tokens(const struct access *a, size_t *n);
/* Makes the token of server.toml known; a revoked one stays revoked. 0 or -errno. */
int access_set_legacy(struct access *a, const char *secret);

/* "admin", "operator", "viewer"; ROLE_NONE for another word. */
enum role role_parse(const char *text);
const char *role_text(enum role role);
/* What the contract calls it: "superadmin" or "user" (DECISIONS 18b). */
const char *role_contract_text(enum role role);

#endif
