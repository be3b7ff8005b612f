// SPDX-License-Identifier: MIT
/* Reading again what an operator has changed on disk. */
#include "server/run/reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/log.h"
#include "lib/tls/tls.h"
#include "server/access/certificate.h"
#include "server/access/credentials.h"
#include "server/run/settings.h"
#include "server/store/store.h"

#define EXPIRY_WARNED_SECS (30ll * 86400)

static void explain(int err, const char *owner, char *why, size_t why_size)
{
	if (err == -EEXIST)
		snprintf(why, why_size,
			 "server.toml: operator_token is the secret of the token '%s' too; choose "
			 "another, or remove the key and use that token",
			 owner);
	else
		snprintf(why, why_size, "server.toml: operator_token: %s", strerror(-err));
}

static void on_applied(void *arg, int err)
{
	*(int *)arg = err;
}

int operator_token_apply(struct access *a, struct store *store, const char *token, char *why,
			 size_t why_size)
{
	const char *owner = "";
	int told = -EIO, err = access_set_legacy(a, token, &owner, on_applied, &told);

	if (err == 1)
		return 0;
	if (!err) {
		store_settle(store);
		err = told;
	}
	if (err)
		explain(err, owner, why, why_size);
	return err;
}

static void token_not_reloaded(const char *why)
{
	log_event(LOG_ERROR, "server.reload_failed", LOGF_STR("error", why),
		  LOGF_STR("advice", "the operator_token there was goes on"));
}

static void on_token_reloaded(void *arg, int err)
{
	char why[512];

	if (!err)
		return;
	explain(err, "", why, sizeof(why));
	token_not_reloaded(why);
}

static void reload_token(const char *data_dir, struct access *a)
{
	const char *owner = "";
	struct settings read;
	char why[512];
	int err = settings_read(data_dir, &read, why, sizeof(why));

	if (!err) {
		err = access_set_legacy(a, read.operator_token, &owner, on_token_reloaded, NULL);
		if (err < 0)
			explain(err, owner, why, sizeof(why));
		settings_free(&read);
	}
	if (err < 0)
		token_not_reloaded(why);
}

int tls_pair_reload(const char *what, const char *cert, const char *key, struct ssl_ctx_st *ctx)
{
	char why[TLS_ERROR_SIZE];
	int err = tls_server_replace(ctx, cert, key, why);

	if (err)
		log_event(LOG_ERROR, "server.reload_failed", LOGF_STR("certificate", what),
			  LOGF_STR("error", why), LOGF_STR("path", cert),
			  LOGF_STR("advice", "the certificate there was goes on"));
	else
		log_event(LOG_INFO, "certificate.reloaded", LOGF_STR("certificate", what),
			  LOGF_STR("path", cert));
	warn_of_expiry(what, cert);
	return err;
}

void reload(const char *data_dir, const struct settings *now, struct access *a,
	    struct ssl_ctx_st *http_tls)
{
	log_event(LOG_INFO, "server.sighup",
		  LOGF_STR("advice", "operator_token and the API's certificate are read again; the "
				     "other keys of server.toml at the start only"));
	reload_token(data_dir, a);
	if (http_tls)
		tls_pair_reload("operator_http", now->operator_http_tls_cert_path,
				now->operator_http_tls_key_path, http_tls);
}

void warn_of_expiry(const char *what, const char *cert_path)
{
	int64_t left = certificate_expiry(cert_path);

	if (!left)
		return;
	left -= time(NULL);
	if (left > EXPIRY_WARNED_SECS)
		return;
	log_event(LOG_WARN, left <= 0 ? "certificate.expired" : "certificate.expires",
		  LOGF_STR("certificate", what), LOGF_STR("path", cert_path),
		  LOGF_INT("days_left", left / 86400),
		  LOGF_STR("advice",
			   "renew it; the API's is read again on SIGHUP, the control listener's "
			   "with 'portunus-server rotate-certificate'"));
}
