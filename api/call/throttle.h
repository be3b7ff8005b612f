/* SPDX-License-Identifier: MIT */
/* Failures of signing in, counted by key. */
#ifndef PORTUNUS_API_CALL_THROTTLE_H
#define PORTUNUS_API_CALL_THROTTLE_H

#include <stdint.h>

/*
 * Slows down who guesses: after THROTTLE_FREE failures within 15 minutes a key waits 60 s, then twice
 * as long with each failure, up to 15 minutes. A key is an address, or an address and a name: so that
 * nobody's failures lock another out.
 */
struct throttle;

#define THROTTLE_FREE	  5
#define THROTTLE_KEY_SIZE 128

struct throttle *throttle_new(void);
void throttle_free(struct throttle *t);
/* How long @key has to wait from @now_ns on, in whole seconds, at least 1; 0: it need not. */
unsigned throttle_wait(const struct throttle *t, const char *key, uint64_t now_ns);
void throttle_failed(struct throttle *t, const char *key, uint64_t now_ns);
/* A good credential: earlier failures are forgotten. */
void throttle_forgive(struct throttle *t, const char *key);

#endif
