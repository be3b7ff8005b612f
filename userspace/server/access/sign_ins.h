/* SPDX-License-Identifier: MIT */
/* Sign-ins: found by the hash of their secret, bounded in number and time. */
#ifndef PORTUNUS_SERVER_ACCESS_SIGN_INS_H
#define PORTUNUS_SERVER_ACCESS_SIGN_INS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/secret.h"
#include "server/store/store.h"

/* Browsers' sign-ins, in memory beside the store: hashes of secrets, and the token of each. */
#define ACCESS_NAME_SIZE	65 /* of a token's name */
#define ACCESS_SESSION_IDLE_SEC (8 * 3600)
#define ACCESS_SESSION_MAX_SEC	(7 * 86400)
#define SIGN_INS_MAX		1024
#define SIGN_INS_OF_TOKEN_MAX	32 /* so that nobody signs the others out */

struct sign_in {
	char hash[SECRET_HASH_SIZE];
	char token_name[ACCESS_NAME_SIZE];
	uint64_t created_ms, used_ms;
};

/* @ended is told of each sign-in that ends, whatever ends it; NULL: nobody is. */
struct sign_ins {
	struct store *store;
	struct sign_in *of;
	size_t n;
	void (*ended)(void *arg, const char *token, const char *hash);
	void *ended_arg;
};

/* Reads what the store has. 0 or -errno. */
int sign_ins_load(struct sign_ins *s, struct store *store);
void sign_ins_free(struct sign_ins *s);

/* NULL: there is none, or it has expired. Compares in constant time. Notes the use. */
struct sign_in *sign_ins_find(struct sign_ins *s, const char *hash);
/*
 * The oldest one of the token, or of all, makes room when there are too many. 0: @done will be told the
 * store's errno; or -errno.
 */
int sign_ins_add(struct sign_ins *s, const struct sign_in *w, store_done done, void *arg);
/* The same; after an error it goes on. */
int sign_ins_end(struct sign_ins *s, const struct sign_in *w, store_done done, void *arg);
/* All of a token that is no more, in memory: in the store they end with the token, or at the next start. */
void sign_ins_end_of(struct sign_ins *s, const char *token_name);
/* Ends those whose time is over. */
void sign_ins_sweep(struct sign_ins *s);

#endif
