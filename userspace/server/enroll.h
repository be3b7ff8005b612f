/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_ENROLL_H
#define PORTUNUS_SERVER_ENROLL_H

#include <stdint.h>

#include "server/gates.h"

/*
 * Enrolment: one-time codes out, credentials in. Also the owner of the question at which address
 * edges reach this server.
 */
struct fleet;
struct store;

#define ENROLL_TTL_SECS	    600
#define ENROLL_TTL_MAX_SECS 86400
#define ENROLL_URI_MAX	    512

struct enroll_config {
	const char *cert_path;	/* of the gRPC listener; its names decide what can be advertised */
	const char *advertised; /* host:port given by the operator, or NULL */
	uint16_t grpc_port;	/* the one that is really bound */
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
 * until then. @host is the Host header of the request or NULL. Returns 0 or -1 with @err set.
 */
int enroll_offer(struct enroll *e, const char *client_id, const char *name, const char *address,
		 uint64_t ttl_secs, const char *host, struct enroll_offer *out,
		 struct fleet_error *err);

struct enroll_credentials {
	char client_id[32], client_name[256], endpoint[300], token[64];
	char pin_hex[65];
};
/*
 * Redeems a code. Returns 0, or -1 with @err->e.code one of the contract's words
 * (enrollment_invalid, enrollment_expired, enrollment_used, enrollment_store_error).
 */
int enroll_redeem(struct enroll *e, const char *code, struct enroll_credentials *out,
		  struct fleet_error *err);

/*
 * Makes a code for the edge on this host, which reaches the server at @host and @port whatever is
 * advertised, and redeems it at once. @client_id as above. Returns as enroll_redeem().
 */
int enroll_local(struct enroll *e, const char *client_id, const char *name, const char *host,
		 uint16_t port, struct enroll_credentials *out, struct fleet_error *err);

/* Whether a client may have that address: a host name or literal, without scheme, path or port. */
const char *enroll_check_address(const char *address);

#endif
