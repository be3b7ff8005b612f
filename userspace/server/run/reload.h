/* SPDX-License-Identifier: MIT */
/* Reading again what an operator has changed on disk. */
#ifndef PORTUNUS_SERVER_RUN_RELOAD_H
#define PORTUNUS_SERVER_RUN_RELOAD_H

#include <stddef.h>

/* What follows its file while the server runs: the token of server.toml, the API's certificate. */
struct access;
struct settings;
struct ssl_ctx_st;
struct store;

/*
 * Makes the token of server.toml the one that counts, at the start: 0, or -errno with a sentence in
 * @why.
 */
int operator_token_apply(struct access *a, struct store *store, const char *token, char *why,
			 size_t why_size);

/*
 * On SIGHUP: reads server.toml's operator_token and the API's certificate anew. What is wrong with
 * either is logged, and what there was goes on. Connections that are open keep their certificate.
 */
void reload(const char *data_dir, const struct settings *now, struct access *a,
	    struct ssl_ctx_st *http_tls);

/*
 * Has a context serve what is in the files now, if that is a pair; else it is logged, and the one in use
 * goes on. 0 or -errno.
 */
int tls_pair_reload(const char *what, const char *cert, const char *key, struct ssl_ctx_st *ctx);

/* Logs a certificate that has expired, or does so within 30 days. */
void warn_of_expiry(const char *what, const char *cert_path);

#endif
