// SPDX-License-Identifier: MIT
/* Enrols the edge on the server's own host, and keeps its bundle fitting. */
#include "server/run/local_edge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/tls/bundle.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/rule/rule.h"
#include "lib/base/secret.h"
#include "lib/tls/tls.h"
#include "server/access/audit.h"
#include "server/fleet/enrolment.h"
#include "server/fleet/fleet.h"

/* The listener's address as this host reaches it: loopback for one that is bound to any. */
static void endpoint(const struct local_edge *l, char host[ADDR_TEXT_MAX], uint16_t *port)
{
	const union addr *a = &l->grpc;

	*port = addr_port(a);
	if (addr_is_any(a))
		strcpy(host, a->sa.sa_family == AF_INET ? "127.0.0.1" : "::1");
	else
		addr_text_host(a, host, ADDR_TEXT_MAX);
}

static void set_endpoint(const struct local_edge *l, struct bundle *b)
{
	char host[ADDR_TEXT_MAX];
	uint16_t port;

	endpoint(l, host, &port);
	endpoint_text(host, port, b->server_endpoint, sizeof(b->server_endpoint));
}

/* The client of a bundle whose token is good, else NULL. */
static struct fleet_client *client_of(const struct local_edge *l, const struct bundle *b)
{
	char hash[SECRET_HASH_SIZE];
	struct fleet_client *c;

	secret_hash(b->token, hash);
	c = fleet_client_by_token(l->fleet, hash);
	return c && !c->revoked_ms ? c : NULL;
}

/* Whom to enrol again: the bundle's own client, or one of the name; NULL: a new one. */
static struct fleet_client *client_to_renew(const struct local_edge *l, const struct bundle *b)
{
	struct fleet_client *c = *b->client_id ? fleet_client(l->fleet, b->client_id) : NULL;
	struct fleet_client *const *all;
	size_t n;

	all = fleet_clients(l->fleet, &n);
	for (size_t i = 0; i < n && !c; i++)
		if (all[i]->revoked_ms && !strcmp(all[i]->name, l->name))
			c = all[i];
	return c;
}

static void write_audit(const struct local_edge *l, const char *id)
{
	audit_add(l->audit, &(struct store_audit){
				    .actor = "_local",
				    .method = "SERVE",
				    .path = "--edge",
				    .outcome = "allow",
				    .role = "admin",
				    .action = "client.enroll",
				    .resource_kind = "client",
				    .resource_value = id,
			    });
}

/* @b is the former bundle or empty, and becomes the new one. */
static int enroll_anew(const struct local_edge *l, struct bundle *b, char *why, size_t why_size)
{
	struct fleet_client *c = client_to_renew(l, b);
	struct enroll_credentials made;
	struct fleet_error refused;
	char host[ADDR_TEXT_MAX];
	uint16_t port;

	if (!c && fleet_client_by_name(l->fleet, l->name)) {
		snprintf(why, why_size,
			 "--edge %s: another edge has that name; choose a free one, or revoke that "
			 "one first (portunus-server revoke %s) to have it enrolled here",
			 l->name, l->name);
		return -EEXIST;
	}
	endpoint(l, host, &port);
	if (enroll_local(l->enroll, c ? c->id : NULL, l->name, host, port, &made, &refused)) {
		snprintf(why, why_size, "--edge %s: cannot enrol: %s", l->name, refused.e.message);
		return -EIO;
	}
	snprintf(b->client_name, sizeof(b->client_name), "%s", made.client_name);
	snprintf(b->client_id, sizeof(b->client_id), "%s", made.client_id);
	set_endpoint(l, b);
	snprintf(b->token, sizeof(b->token), "%s", made.token);
	hex_read(made.pin_hex, b->pin, sizeof(b->pin));
	write_audit(l, made.client_id);
	return 0;
}

/* Brings endpoint, pin and name up to date. Returns whether there was anything to change. */
static bool update(const struct local_edge *l, const struct fleet_client *c, struct bundle *b,
		   const uint8_t pin[TLS_PIN_SIZE])
{
	struct bundle was = *b;

	set_endpoint(l, b);
	snprintf(b->client_id, sizeof(b->client_id), "%s", c->id);
	snprintf(b->client_name, sizeof(b->client_name), "%s", c->name);
	memcpy(b->pin, pin, sizeof(b->pin));
	if (strcmp(c->name, l->name))
		log_event(LOG_WARN, "edge.other_name", LOGF_STR("client", c->name),
			  LOGF_STR("edge", l->name),
			  LOGF_STR("advice",
				   "the edge of this data directory keeps the name that it has; "
				   "rename-client changes it"));
	return memcmp(&was, b, sizeof(was)) != 0;
}

int local_edge_enroll(const struct local_edge *l, enum local_edge_news *news, char *why,
		      size_t why_size)
{
	char unread[BUNDLE_ERROR_SIZE], id[sizeof(((struct bundle *)0)->client_id)];
	uint8_t pin[TLS_PIN_SIZE];
	struct fleet_client *c;
	struct bundle b;
	int err = bundle_read(l->bundle_path, &b, unread);

	if (err && err != -ENOENT)
		log_event(LOG_WARN, "edge.bundle_unusable", LOGF_STR("error", unread));
	if (err)
		b = (struct bundle){0};
	snprintf(id, sizeof(id), "%s", b.client_id);
	c = *b.token ? client_of(l, &b) : NULL;
	*news = LOCAL_EDGE_KEPT;
	if (c) {
		err = tls_pin_of_file(l->cert_path, pin);
		if (!err && !update(l, c, &b, pin))
			return 0;
	} else {
		err = enroll_anew(l, &b, why, why_size);
	}
	if (err)
		return err;
	*news = *id && !strcmp(id, b.client_id) ? LOCAL_EDGE_KEPT : LOCAL_EDGE_REPLACED;
	err = bundle_write(l->bundle_path, &b);
	if (err)
		snprintf(why, why_size, "cannot write %s: %s", l->bundle_path, strerror(-err));
	return err;
}
