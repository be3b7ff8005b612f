// SPDX-License-Identifier: MIT
/* Enrolment codes: made for an operator, redeemed by an edge. */
#include "server/fleet/enrolment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/addr.h"
#include "lib/base/clock.h"
#include "lib/tls/enroll_uri.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/base/log_budget.h"
#include "lib/rule/rule.h"
#include "lib/base/secret.h"
#include "lib/tls/tls.h"
#include "lib/base/ulid.h"
#include "lib/base/utf8.h"
#include "server/access/audit.h"
#include "server/fleet/fleet.h"

#define SETTING_ENDPOINT "advertised_endpoint"
#define ENROLL_PATH	 "/portunus.v1.ClientEnrollment/Enroll" /* in the audit trail */

struct enroll {
	struct store *store;
	struct fleet *fleet;
	struct audit *audit;
	char *cert_path, *advertised;
	bool any_host;
	union addr grpc;
	struct log_budget strangers; /* log lines about them */
};

struct enroll *enroll_new(struct store *store, struct fleet *fleet,
			  const struct enroll_config *config)
{
	struct enroll *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->store = store;
	e->fleet = fleet;
	e->audit = config->audit;
	e->any_host = config->any_host;
	e->grpc = config->grpc;
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
		fleet_error_set(err, 422, "endpoint_invalid", "endpoint_invalid: '%.*s': %s",
				utf8_cut(text, 100), text, wrong);
		return -1;
	}
	if (!e->any_host && tls_cert_names_host(e->cert_path, uri->host) != 1) {
		fleet_error_set(err, 422, "endpoint_not_in_cert_san",
				"endpoint_not_in_cert_san: the server's certificate does not name "
				"'%s'",
				uri->host);
		return -1;
	}
	return 0;
}

/* A candidate that is taken if the certificate names it, or need not. */
static bool implicit_endpoint(struct enroll *e, const char *host, bool any, struct enroll_uri *uri)
{
	if (!*host || strlen(host) >= sizeof(uri->host) || strpbrk(host, "[]/@ ") ||
	    (!any && tls_cert_names_host(e->cert_path, host) != 1))
		return false;
	strcpy(uri->host, host);
	uri->port = addr_port(&e->grpc);
	return true;
}

static int choose_endpoint(struct enroll *e, const char *host_header, struct enroll_uri *uri,
			   struct fleet_error *err)
{
	char host[ENROLL_HOST_MAX] = "", bound[ADDR_TEXT_MAX], *chosen = NULL;
	int rc;

	if (!store_setting_get(e->store, SETTING_ENDPOINT, &chosen) || e->advertised) {
		rc = explicit_endpoint(e, chosen ? chosen : e->advertised, uri, err);
		free(chosen);
		return rc;
	}
	strcpy(bound, "127.0.0.1");
	if (!addr_is_any(&e->grpc))
		addr_text_host(&e->grpc, bound, sizeof(bound));
	/* A listener on loopback is nowhere else, whatever name the operator's request went to. */
	if (host_header && host_header[0] != '[' && !addr_is_loopback(&e->grpc))
		snprintf(host, sizeof(host), "%.*s", (int)strcspn(host_header, ":"), host_header);
	if (implicit_endpoint(e, host, false, uri) || implicit_endpoint(e, bound, e->any_host, uri))
		return 0;
	fleet_error_set(err, 422, "endpoint_invalid",
			"endpoint_invalid: the server's certificate names no address to reach it "
			"at; start it with --advertised-endpoint host:port");
	return -1;
}

/* The code to be stored, hashed. Its endpoint goes into the bundle, so that it is the URI's. */
static int record_code(struct enroll *e, struct store_code *code, const struct enroll_uri *uri,
		       uint64_t ttl_secs, struct store_tx **tx)
{
	char hash[SECRET_HASH_SIZE], endpoint[ENROLL_HOST_MAX + 8];
	int err = 0;

	code->endpoint = endpoint_text(uri->host, uri->port, endpoint, sizeof(endpoint));
	code->created_ms = clock_wall_ms();
	code->expires_ms = code->created_ms + ttl_secs * 1000;
	if (!code->client_id[0])
		err = ulid_new(code->created_ms, code->client_id);
	secret_hash(uri->code, hash);
	if (err)
		return err;
	*tx = store_begin(e->store);
	store_code_add(*tx, hash, code);
	code->endpoint = NULL;
	return 0;
}

/* A code would be in vain whose name another client has. */
static int check_name(struct enroll *e, const char *client_id, const char *name,
		      struct fleet_error *err)
{
	const struct fleet_client *other = fleet_client_by_name(e->fleet, name);

	if (!other || (client_id && !strcmp(other->id, client_id)))
		return 0;
	fleet_error_set(err, 409, "client_name_taken",
			client_id
				? "client_name_taken: another edge is named '%s' now; rename one "
				  "of them first"
				: "client_name_taken: there is an edge named '%s'; enrol that one "
				  "again, or revoke or rename it first",
			name);
	return -1;
}

/* An offer whose code is with the store. */
struct offering {
	struct enroll *e;
	struct enroll_offer offer;
	enroll_offered done;
	void *arg;
};

static void cannot_offer(struct fleet_error *err, int errnum)
{
	fleet_error_store(err, errnum);
	log_event(LOG_ERROR, "enrollment.failed", LOGF_STR("error", strerror(-errnum)),
		  LOGF_STR("advice", store_advice(errnum)));
}

static void on_offered(void *arg, int errnum)
{
	struct offering *o = arg;
	struct fleet_error err;

	if (errnum)
		cannot_offer(&err, errnum);
	o->done(o->arg, errnum ? NULL : &o->offer, errnum ? &err : NULL);
	free(o);
}

/* Makes and stores the code of an offer whose endpoint is chosen. 0 or -errno. */
static int make_offer(struct offering *o, struct store_code *code, struct enroll_uri *uri,
		      uint64_t ttl_secs)
{
	struct store_tx *tx = NULL;
	int err = tls_pin_of_file(o->e->cert_path, uri->pin);

	if (!err)
		err = secret_new(uri->code);
	if (!err)
		err = record_code(o->e, code, uri, ttl_secs, &tx);
	if (err)
		return err;
	o->offer.expires_ms = code->expires_ms;
	utf8_format(o->offer.name, sizeof(o->offer.name), "%s", code->name);
	enroll_uri_write(uri, o->offer.uri, sizeof(o->offer.uri));
	return store_commit(tx, on_offered, o);
}

int enroll_offer(struct enroll *e, const char *client_id, const char *name, const char *address,
		 uint64_t ttl_secs, const char *host, enroll_offered done, void *arg,
		 struct fleet_error *err)
{
	struct store_code code = {.name = (char *)name, .address = (char *)address};
	struct enroll_uri uri = {.port = 0};
	struct offering *o;
	int errnum;

	if (ttl_secs < 1 || ttl_secs > ENROLL_TTL_MAX_SECS) {
		fleet_error_set(err, 400, "invalid_enrollment_ttl",
				"invalid_enrollment_ttl: ttl_secs must be 1 to %d",
				ENROLL_TTL_MAX_SECS);
		return -1;
	}
	if (check_name(e, client_id, name, err) || choose_endpoint(e, host, &uri, err))
		return -1;
	snprintf(code.client_id, sizeof(code.client_id), "%s", client_id ? client_id : "");
	o = calloc(1, sizeof(*o));
	if (o)
		*o = (struct offering){.e = e, .done = done, .arg = arg};
	errnum = o ? make_offer(o, &code, &uri, ttl_secs) : -ENOMEM;
	if (!errnum)
		return 0;
	free(o);
	cannot_offer(err, errnum);
	return -1;
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

/* A redemption that is with the store. */
struct redemption {
	struct enroll *e;
	struct store_code code;
	char peer[ADDR_TEXT_MAX];
	struct enroll_credentials made;
	enroll_redeemed done;
	void *arg;
};

static void redemption_free(struct redemption *r)
{
	store_code_free(&r->code);
	explicit_bzero(r, sizeof(*r));
	free(r);
}

/* For the audit trail, in the transaction that makes the token. */
static void fill_row(void *arg, struct store_audit *row)
{
	const struct redemption *r = arg;

	*row = (struct store_audit){
		.actor = "_edge",
		.method = "ENROLL",
		.path = ENROLL_PATH,
		.outcome = "allow",
		.action = "client.redeemed",
		.resource_kind = "client",
		.resource_value = r->code.client_id,
		.details = r->code.name,
		.remote_addr = r->peer,
	};
}

static void note_refusal(struct enroll *e, const char *peer, const struct fleet_error *err)
{
	uint64_t left_out;

	if (log_budget_take(&e->strangers, clock_mono_ns(), &left_out))
		log_event(LOG_WARN, "enrollment.refused", LOGF_STR("reason", err->e.code),
			  LOGF_STR("remote_addr", peer), LOGF_UINT("left_out", left_out));
	audit_add(e->audit, &(struct store_audit){
				    .actor = AUDIT_ANONYMOUS,
				    .method = "ENROLL",
				    .path = ENROLL_PATH,
				    .outcome = "deny",
				    .reason = err->e.code,
				    .remote_addr = peer,
			    });
}

static int refuse_redemption(struct fleet_error *err, int errnum)
{
	return refuse(err, errnum == -EEXIST   ? "client_name_taken"
			   : errnum == -ENOENT ? "enrollment_used"
					       : "enrollment_store_error");
}

static void on_redeemed(void *arg, struct fleet_client *c, int errnum)
{
	struct redemption *r = arg;
	struct fleet_error err;

	if (errnum) {
		refuse_redemption(&err, errnum);
		note_refusal(r->e, r->peer, &err);
	} else {
		utf8_format(r->made.client_name, sizeof(r->made.client_name), "%s",
			    c ? c->name : r->code.name);
		log_event(LOG_INFO, "client.enrolled", LOGF_STR("client_id", r->made.client_id),
			  LOGF_STR("client", r->made.client_name),
			  LOGF_STR("remote_addr", r->peer));
	}
	r->done(r->arg, errnum ? NULL : &r->made, errnum ? &err : NULL);
	redemption_free(r);
}

/* Makes the token; its hash is to be stored with the client, the used code and the audit row. */
static int redeem(struct redemption *r, const char *code_hash)
{
	char token_hash[SECRET_HASH_SIZE];
	uint8_t pin[TLS_PIN_SIZE];
	int err = tls_pin_of_file(r->e->cert_path, pin);

	if (!err)
		err = secret_new(r->made.token);
	if (err)
		return err;
	snprintf(r->made.client_id, sizeof(r->made.client_id), "%s", r->code.client_id);
	snprintf(r->made.endpoint, sizeof(r->made.endpoint), "%s", r->code.endpoint);
	hex_write(pin, sizeof(pin), r->made.pin_hex);
	secret_hash(r->made.token, token_hash);
	audit_attend(r->e->audit, &(struct audit_request){.fill = fill_row, .arg = r});
	err = fleet_client_redeem(r->e->fleet, code_hash, &r->code, token_hash, on_redeemed, r);
	audit_leave(r->e->audit, r);
	return err;
}

static int open_and_redeem(struct redemption *r, const char *secret, struct fleet_error *err)
{
	char hash[SECRET_HASH_SIZE];
	int errnum;

	if (!*secret || strlen(secret) > 256)
		return refuse(err, "enrollment_invalid");
	secret_hash(secret, hash);
	if (open_code(r->e, hash, &r->code, err))
		return -1;
	errnum = redeem(r, hash);
	return errnum ? refuse_redemption(err, errnum) : 0;
}

int enroll_redeem(struct enroll *e, const char *secret, const char *peer, enroll_redeemed done,
		  void *arg, struct fleet_error *err)
{
	struct redemption *r = calloc(1, sizeof(*r));

	if (r) {
		*r = (struct redemption){.e = e, .done = done, .arg = arg};
		snprintf(r->peer, sizeof(r->peer), "%s", peer);
		if (!open_and_redeem(r, secret, err))
			return 0;
		redemption_free(r);
	} else {
		refuse(err, "enrollment_store_error");
	}
	note_refusal(e, peer, err);
	return -1;
}

/* What became of one that was waited for. */
struct waited {
	struct enroll_credentials *out;
	struct fleet_error *err;
	bool good;
};

static void on_local(void *arg, const struct enroll_credentials *made,
		     const struct fleet_error *err)
{
	struct waited *w = arg;

	w->good = made != NULL;
	if (made)
		*w->out = *made;
	else
		*w->err = *err;
}

int enroll_local(struct enroll *e, const char *client_id, const char *name, const char *host,
		 uint16_t port, struct enroll_credentials *out, struct fleet_error *err)
{
	struct store_code code = {.name = (char *)name};
	struct enroll_uri uri = {.port = port};
	struct waited w = {.out = out, .err = err};
	struct store_tx *tx;

	snprintf(uri.host, sizeof(uri.host), "%s", host);
	snprintf(code.client_id, sizeof(code.client_id), "%s", client_id ? client_id : "");
	if (secret_new(uri.code) || record_code(e, &code, &uri, ENROLL_TTL_SECS, &tx) ||
	    store_commit_wait(tx))
		return refuse(err, "enrollment_store_error");
	if (enroll_redeem(e, uri.code, "local", on_local, &w, err))
		return -1;
	store_settle(e->store);
	return w.good ? 0 : -1;
}
