/* SPDX-License-Identifier: MIT */
/* Secrets that we issue: making, hashing for storage, comparing. */
#ifndef PORTUNUS_LIB_BASE_SECRET_H
#define PORTUNUS_LIB_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#define SECRET_TEXT_SIZE 44 /* 32 bytes as URL-safe base64 without padding, and the terminator */
#define SECRET_HASH_SIZE 65 /* SHA-256 in hex, and the terminator */

/* Makes a token or one-time code of 256 random bits. Returns 0 or -errno (no randomness). Any thread. */
int secret_new(char out[SECRET_TEXT_SIZE]);

/*
 * What is stored in place of a secret. A plain hash is enough because the secrets are random, not
 * chosen by people. Any thread.
 */
void secret_hash(const char *secret, char out[SECRET_HASH_SIZE]);

/* Compares in a time that depends on the lengths only. NULL equals nothing. Any thread. */
bool secret_equal(const char *a, const char *b);

#endif
