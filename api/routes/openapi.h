/* SPDX-License-Identifier: MIT */
/* /v1/openapi.json: what this API is, for programs that read such descriptions. */
#ifndef PORTUNUS_API_ROUTES_OPENAPI_H
#define PORTUNUS_API_ROUTES_OPENAPI_H

/* api/openapi.json, which the Makefile makes a string of. */
extern const char openapi_text[];

/* Handler of /v1/openapi.json; answers its call. */
struct call;

void openapi_get(struct call *c);

#endif
