/* SPDX-License-Identifier: MIT */
/* The client's side of the local view: one question over the Unix socket, one answer. */
#ifndef PORTUNUS_CTL_ASK_H
#define PORTUNUS_CTL_ASK_H

#include <stdbool.h>

struct json_t;
struct verb_call;

/*
 * Sends @request (taken over; may be NULL for want of memory) to the daemon. Returns its answer as
 * text, with a newline at its end, to be freed; or NULL when the reason is on stderr already, an error
 * that the daemon answered included.
 */
char *verb_ask(const struct verb_call *call, struct json_t *request);
/* As verb_ask(), parsed. */
struct json_t *verb_ask_json(const struct verb_call *call, struct json_t *request);

/* Whether a daemon answers on the socket. */
bool verb_daemon_lives(const struct verb_call *call);

#endif
