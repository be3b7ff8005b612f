// SPDX-License-Identifier: MIT
/* Enrolment codes: made for an operator, redeemed by an edge. */
#include "server/enroll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/clock.h"
#include "lib/enroll_uri.h"
#include "lib/hex.h"
#include "lib/log.h"
#include "lib/rule.h"
#include "lib/secret.h"
#include "lib/tls.h"
#include "lib/ulid.h"
#include "server/fleet_internal.h"

#define SETTING_ENDPOINT "advertised_endpoint"

struct enroll {
	struct store *store;
	struct fleet *fleet;
	char *cert_path, *advertised;
	uint16_t grpc_port;
};

struct enroll *enroll_new(struct store *store, struct fleet *fleet,
			  const struct enroll_config *config)
{
	struct enroll *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->store = store;
	e->fleet = fleet;
	e->grpc_port = config->grpc_port;
	e->cert_path = strdup(config->cert_path);
	e->advertised = config->advertised ? strdup(config->advertised) : NULL;
	if (!e->cert_path || (config->advertised && !e->advertised)) {
		enroll_free(e);
		return NULL;
	}
	return e;
}

void enroll_free(struct enroll *e)
{
	if (!e)
		return;
	free(e->cert_path);
	free(e->advertised);
	free(e);
}

const char *enroll_check_address(const char *address)
{
	union addr a;

	if (!*address)
		return "must not be empty";
	if (!addr_parse_literal(address, 0, &a))
		return NULL;
	if (strpbrk(address, "/:@?# "))
		return "must be a host name or an address, without scheme, port or path";
	return rule_check_host(address, NULL);
}

/* An endpoint that somebody chose: wrong or not covered is an error, never skipped. */
static int explicit_endpoint(struct enroll *e, const char *text, struct enroll_uri *uri,
			     struct fleet_error *err)
{
	const char *wrong = endpoint_split(text, strlen(text), uri->host, &uri->port);

	if (wrong) {
		fleet_error_set(err, 422, "endpoint_invalid", "endpoint_invalid: '%s': %s", text,
				wrong);
		return -1;
	}
	if (tls_cert_names_host(e->cert_path, uri->host) != 1) {
		fleet_error_set(err, 422, "endpoint_not_in_cert_san",
				"endpoint_not_in_cert_san: the server's certificate does not name "
				"'%s'",
				uri->host);
		return -1;
	}
	return 0;
}

/* A candidate that is taken if the certificate names it. */
static bool implicit_endpoint(struct enroll *e, const char *host, struct enroll_uri *uri)
{
	if (!host || !*host || strlen(host) >= sizeof(uri->host) || strpbrk(host, "[]:/@ ") ||
	    tls_cert_names_host(e->cert_path, host) != 1)
		return false;
	strcpy(uri->host, host);
	uri->port = e->grpc_port;
	return true;
}

static int choose_endpoint(struct enroll *e, const char *host_header, struct enroll_uri *uri,
			   struct fleet_error *err)
{
	char host[ENROLL_HOST_MAX] = "", *chosen = NULL;
	int rc;

	if (!store_setting_get(e->store, SETTING_ENDPOINT, &chosen) || e->advertised) {
		rc = explicit_endpoint(e, chosen ? chosen : e->advertised, uri, err);
		free(chosen);
		return rc;
	}
	if (host_header && host_header[0] != '[')
		snprintf(host, sizeof(host), "%.*s", (int)strcspn(host_header, ":"), host_header);
	if (implicit_endpoint(e, host, uri) || implicit_endpoint(e, "127.0.0.1", uri))
		return 0;
	fleet_error_set(err, 422, "endpoint_invalid",
			"endpoint_invalid: the server's certificate names no address to reach it "
			"at; start it with --advertised-endpoint host:port");
	return -1;
}

/* Stores the code, hashed. Its endpoint goes into the bundle, so that it is the URI's. */
static int store_code(struct enroll *e, struct store_code *code, const struct enroll_uri *uri,
		      uint64_t ttl_secs)
{
	char hash[SECRET_HASH_SIZE], endpoint[ENROLL_HOST_MAX + 8];
	int err = 0;

	snprintf(endpoint, sizeof(endpoint), strchr(uri->host, ':') ? "[%s]:%u" : "%s:%u",
		 uri->host, uri->port);
	code->endpoint = endpoint;
	code->created_ms = clock_wall_ms();
	code->expires_ms = code->created_ms + ttl_secs * 1000;
	if (!code->client_id[0])
		err = ulid_new(code->created_ms, code->client_id);
	secret_hash(uri->code, hash);
	if (!err)
		err = store_code_add(e->store, hash, code);
	code->endpoint = NULL;
	return err;
}

int enroll_offer(struct enroll *e, const char *client_id, const char *name, const char *address,
		 uint64_t ttl_secs, const char *host, struct enroll_offer *out,
		 struct fleet_error *err)
{
	struct store_code code = {.name = (char *)name, .address = (char *)address};
	struct enroll_uri uri = {.port = 0};
	int errnum;

	if (ttl_secs < 1 || ttl_secs > ENROLL_TTL_MAX_SECS) {
		fleet_error_set(err, 400, "invalid_enrollment_ttl",
				"invalid_enrollment_ttl: ttl_secs must be 1 to %d",
				ENROLL_TTL_MAX_SECS);
		return -1;
	}
	if (choose_endpoint(e, host, &uri, err))
		return -1;
	errnum = tls_pin_of_file(e->cert_path, uri.pin);
	if (!errnum)
		errnum = secret_new(uri.code);
	snprintf(code.client_id, sizeof(code.client_id), "%s", client_id ? client_id : "");
	if (!errnum)
		errnum = store_code(e, &code, &uri, ttl_secs);
	if (errnum) {
		fleet_error_set(err, 500, "store_error", "store_error");
		log_event(LOG_ERROR, "enrollment.failed", LOGF_STR("error", strerror(-errnum)),
			  LOGF_STR("advice", store_advice(errnum)));
		return -1;
	}
	out->expires_ms = code.expires_ms;
	snprintf(out->name, sizeof(out->name), "%s", name);
	enroll_uri_write(&uri, out->uri, sizeof(out->uri));
	return 0;
}

static int refuse(struct fleet_error *err, const char *code)
{
	fleet_error_set(err, 401, code, "%s", code);
	return -1;
}

/* The code's row, if it can still be redeemed. */
static int open_code(struct enroll *e, const char *hash, struct store_code *code,
		     struct fleet_error *err)
{
	int errnum = store_code_get(e->store, hash, code);

	if (errnum)
		return refuse(err,
			      errnum == -ENOENT ? "enrollment_invalid" : "enrollment_store_error");
	if (code->used_ms || clock_wall_ms() >= code->expires_ms) {
		refuse(err, code->used_ms ? "enrollment_used" : "enrollment_expired");
		store_code_free(code);
		return -1;
	}
	return 0;
}

int enroll_redeem(struct enroll *e, const char *secret, struct enroll_credentials *out,
		  struct fleet_error *err)
{
	char hash[SECRET_HASH_SIZE], token_hash[SECRET_HASH_SIZE];
	uint8_t pin[TLS_PIN_SIZE];
	const struct fleet_client *c;
	struct store_code code;
	int errnum;

	if (!*secret || strlen(secret) > 256)
		return refuse(err, "enrollment_invalid");
	secret_hash(secret, hash);
	if (open_code(e, hash, &code, err))
		return -1;
	errnum = tls_pin_of_file(e->cert_path, pin);
	if (!errnum)
		errnum = secret_new(out->token);
	if (!errnum) {
		secret_hash(out->token, token_hash);
		errnum = fleet_client_redeem(e->fleet, hash, &code, token_hash);
	}
	c = fleet_client(e->fleet, code.client_id);
	snprintf(out->client_id, sizeof(out->client_id), "%s", code.client_id);
	snprintf(out->client_name, sizeof(out->client_name), "%s", c ? c->name : code.name);
	snprintf(out->endpoint, sizeof(out->endpoint), "%s", code.endpoint);
	hex_write(pin, sizeof(pin), out->pin_hex);
	store_code_free(&code);
	if (errnum)
		return refuse(err,
			      errnum == -ENOENT ? "enrollment_used" : "enrollment_store_error");
	log_event(LOG_INFO, "client.enrolled", LOGF_STR("client_id", out->client_id),
		  LOGF_STR("client", out->client_name));
	return 0;
}

int enroll_local(struct enroll *e, const char *client_id, const char *name, const char *host,
		 uint16_t port, struct enroll_credentials *out, struct fleet_error *err)
{
	struct store_code code = {.name = (char *)name};
	struct enroll_uri uri = {.port = port};

	snprintf(uri.host, sizeof(uri.host), "%s", host);
	snprintf(code.client_id, sizeof(code.client_id), "%s", client_id ? client_id : "");
	if (secret_new(uri.code) || store_code(e, &code, &uri, ENROLL_TTL_SECS))
		return refuse(err, "enrollment_store_error");
	return enroll_redeem(e, uri.code, out, err);
}
