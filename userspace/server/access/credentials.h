/* SPDX-License-Identifier: MIT */
/* Operator tokens, kept in memory beside the store, and who a secret belongs to. */
#ifndef PORTUNUS_SERVER_ACCESS_CREDENTIALS_H
#define PORTUNUS_SERVER_ACCESS_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/secret.h"
#include "server/access/role.h"
#include "server/access/sign_ins.h"

/* Who may do what: operator tokens with a name and a role, and browser sessions made from them. */
struct access;

#define ACCESS_LEGACY	  "_legacy"	/* the operator_token of server.toml */
#define ACCESS_SUPERADMIN "_superadmin" /* made by bootstrap-superadmin */
#define ACCESS_TOKEN_MAX  256

struct identity {
	char name[ACCESS_NAME_SIZE];
	enum role role;
};

struct access_token {
	struct identity who;
	char hash[SECRET_HASH_SIZE];
	uint64_t created_ms, revoked_ms;
	uint64_t expires_ms; /* 0: never */
	uint64_t used_ms;    /* to ten minutes or so; 0: not yet */
};

/* Reads what the store has. NULL after a failure of store or memory. */
struct access *access_new(struct store *store);
void access_free(struct access *a);

/* Whether an admin exists; without one nobody can do anything. */
bool access_bootstrapped(const struct access *a);

/* Who a secret belongs to. 0 or -EACCES. Compares in constant time. */
int access_bearer(struct access *a, const char *token, struct identity *who);
int access_session(struct access *a, const char *secret, struct identity *who);
/* Whether the sign-in with the hash @session goes on. */
bool access_session_lives(struct access *a, const char *session);
/*
 * @ended is told when a credential is no more, whatever ended it: a token's name, with the hash of
 * the sign-in if it is only that one. NULL: nobody is told any more.
 */
void access_on_end(struct access *a,
		   void (*ended)(void *arg, const char *token, const char *session), void *arg);
/* Ends what has expired. To be called now and then. */
void access_sweep(struct access *a);

/*
 * What changes something returns 0 when @done will be told what became of it, an errno of the store; or
 * -errno at once, and nothing has changed.
 */

/* Makes a session for the owner of a token. -EACCES. */
int access_login(struct access *a, const char *token, char secret[SECRET_TEXT_SIZE],
		 struct identity *who, store_done done, void *arg);
/* -EACCES: there is no such session. */
int access_logout(struct access *a, const char *secret, store_done done, void *arg);

/*
 * Adds a token, its secret in @made, that expires at @expires_ms (0: never). -EEXIST, also told: a live
 * token has that name; -EINVAL: the name.
 */
int access_token_add(struct access *a, const char *name, enum role role, uint64_t expires_ms,
		     char made[SECRET_TEXT_SIZE], store_done done, void *arg);
/* Also ends its sessions. -ENOENT; -EPERM: it is the last admin's; both also told. */
int access_token_revoke(struct access *a, const char *name, store_done done, void *arg);
/* Sorted by name, the revoked ones too. */
const struct access_token *access_tokens(const struct access *a, size_t *n);
/*
 * Makes the token of server.toml what the file says: another secret ends the old one and its sessions,
 * none at all (NULL) ends the token; one that was revoked stays so while the file has the same. 1: it is
 * so already; -EEXIST: the secret is another token's, whose name is then in *owner.
 */
int access_set_legacy(struct access *a, const char *secret, const char **owner, store_done done,
		      void *arg);

#endif
