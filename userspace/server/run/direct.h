/* SPDX-License-Identifier: MIT */
/* What verbs do on the store itself: one call, or making it. */
#ifndef PORTUNUS_SERVER_RUN_DIRECT_H
#define PORTUNUS_SERVER_RUN_DIRECT_H

#include <stdbool.h>
#include <stddef.h>

struct cli_reply;
struct cli_request;

/* Whether there is one, or that cannot be told. */
bool has_store(const char *data_dir);
/* A verb's call on the store while no server runs. Of struct cli_host. */
int direct(const struct cli_request *r, struct cli_reply *reply);
/* Makes a store and the certificate. Of struct cli_host. */
int init_store(const char *data_dir, const char *advertised, char *pin_hex, char *why,
	       size_t why_size);

#endif
