/* SPDX-License-Identifier: MIT */
/* Who asks: a bearer token, or a browser's sign-in. */
#ifndef PORTUNUS_API_CALL_AUTH_H
#define PORTUNUS_API_CALL_AUTH_H

#include <stdbool.h>

struct call;

/* Whether the call's credential is good, without any consequence. */
bool auth_is_good(struct call *c);
/* Finds out who asks. True: c->who is set. False: the call has been answered. */
bool auth_call(struct call *c);

#endif
