/* SPDX-License-Identifier: MIT */
/* The verb top: a running edge on the terminal, by its local view. */
#ifndef PORTUNUS_CTL_TOP_H
#define PORTUNUS_CTL_TOP_H

#include <stdint.h>

struct json_t;
struct verb_call;

/* Until the user has enough; asks each second. Returns the exit status. */
int verb_top(const struct verb_call *call);

/* What the terminal view reads, made of the answers to "status" and "stats": new references, NULL for memory. */
struct json_t *top_hello(const struct json_t *status, const struct json_t *stats);
struct json_t *top_snapshot(const struct json_t *status, const struct json_t *stats,
			    uint64_t now_ms);

#endif
