/* SPDX-License-Identifier: MIT */
/* Enrolment codes: made for an operator, redeemed by an edge. */
#ifndef PORTUNUS_SERVER_FLEET_ENROLMENT_H
#define PORTUNUS_SERVER_FLEET_ENROLMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/addr.h"
#include "server/fleet/error.h"

/*
 * Enrolment: one-time codes out, credentials in. Also the owner of the question at which address
 * edges reach this server.
 */
struct audit;
struct fleet;
struct store;

#define ENROLL_TTL_SECS	    600
#define ENROLL_TTL_MAX_SECS 86400
#define ENROLL_URI_MAX	    512

struct enroll_config {
	const char *cert_path;	/* of the gRPC listener; its names decide what can be advertised */
	const char *advertised; /* host:port given by the operator, or NULL */
	/* The certificate was made by us: edges know it by its pin, so any host may be advertised. */
	bool any_host;
	union addr grpc; /* where the listener is really bound */
	struct audit *audit;
};

struct enroll;
struct enroll *enroll_new(struct store *store, struct fleet *fleet,
			  const struct enroll_config *config);
void enroll_free(struct enroll *e);

struct enroll_offer {
	char name[256];
	char uri[ENROLL_URI_MAX];
	uint64_t expires_ms;
};

/*
 * Makes a code for a new client (@client_id NULL) or for an existing one, whose token goes on working
 * until then. @host is the Host header of the request or NULL. Returns 0 when @done will be called, or
 * -1 with @err set. @done gets the offer, or NULL and what went wrong.
 */
typedef void (*enroll_offered)(void *arg, const struct enroll_offer *offer,
			       const struct fleet_error *err);
int enroll_offer(struct enroll *e, const char *client_id, const char *name, const char *address,
		 uint64_t ttl_secs, const char *host, enroll_offered done, void *arg,
		 struct fleet_error *err);

struct enroll_credentials {
	char client_id[32], client_name[256], endpoint[300], token[64];
	char pin_hex[65];
};
/*
 * Redeems a code for somebody at @peer ("address:port"), which goes into the audit trail. Returns 0 when
 * @done will be called, or -1 with @err set; @done gets the credentials, or NULL and an error. An
 * error's e.code is one of the contract's words (enrollment_invalid, enrollment_expired,
 * enrollment_used, enrollment_store_error) or client_name_taken.
 */
typedef void (*enroll_redeemed)(void *arg, const struct enroll_credentials *made,
				const struct fleet_error *err);
int enroll_redeem(struct enroll *e, const char *code, const char *peer, enroll_redeemed done,
		  void *arg, struct fleet_error *err);

/*
 * Makes a code for the edge on this host, which reaches the server at @host and @port whatever is
 * advertised, and redeems it at once, while the loop waits. @client_id as above. Returns 0, or -1 with
 * @err set.
 */
int enroll_local(struct enroll *e, const char *client_id, const char *name, const char *host,
		 uint16_t port, struct enroll_credentials *out, struct fleet_error *err);

/* Whether a client may have that address: a host name or literal, without scheme, path or port. */
const char *enroll_check_address(const char *address);

#endif
