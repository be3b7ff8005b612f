/* SPDX-License-Identifier: MIT */
/* The cookie of a browser's sign-in, and the CSRF rules for writing with it. */
#ifndef PORTUNUS_API_CALL_COOKIE_H
#define PORTUNUS_API_CALL_COOKIE_H

#include <stdbool.h>
#include <stddef.h>

/* The cookie of a browser's sign-in, and the rules that keep other sites from using it. */
struct call;

/* The secret in the sign-in's cookie; false when the request has none. */
bool cookie_secret(const struct call *c, char *out, size_t size);
/* Sets the cookie, for @max_age seconds; 0 removes it. */
void cookie_set(struct call *c, const char *secret, long max_age);
/* True: the request comes from this server's own page. False: it has been refused. */
bool cookie_csrf_ok(struct call *c);

#endif
