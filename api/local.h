/* SPDX-License-Identifier: MIT */
/* Calls without a connection: the command line in the same process, on the store itself. */
#ifndef PORTUNUS_API_LOCAL_H
#define PORTUNUS_API_LOCAL_H

#include <stddef.h>

struct api;

/*
 * Serves one request of the machine's own administrator without a connection: what the CLI does
 * when no server runs. Calls back once, before it returns. @body may be NULL.
 */
struct api_answer {
	int status;
	const char *body; /* "" when empty */
	size_t len;
};
void api_local(struct api *api, const char *method, const char *target, const char *body,
	       void (*answer)(void *arg, const struct api_answer *a), void *arg);

#endif
