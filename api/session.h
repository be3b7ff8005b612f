/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_API_SESSION_H
#define PORTUNUS_API_SESSION_H

#include <stdbool.h>
#include <stddef.h>

struct call;

#define SESSION_COOKIE "portunus_session"

/* The value of the session cookie; false when the request has none. */
bool session_cookie(struct call *c, char *out, size_t size);
/* The code of the CSRF rule that a request by cookie breaks, or NULL. */
const char *session_csrf(struct call *c);

#endif
