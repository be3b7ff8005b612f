// SPDX-License-Identifier: MIT
/* The parts of a server, made in order and unmade in the reverse. */
#include "server/run/parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "api/api.h"
#include "lib/grpc/grpc.h"
#include "server/access/audit.h"
#include "server/access/certificate.h"
#include "server/access/credentials.h"
#include "server/control/stream.h"
#include "server/fleet/enrolment.h"
#include "server/fleet/fleet.h"
#include "server/fleet/renewal.h"
#include "server/run/reload.h"
#include "server/store/store.h"

/*
 * Three priorities: edges and everything else have the middle one; connections to the API that have
 * shown no credential come last, some at a time, so that a flood of them delays nobody else.
 */
static struct event_base *new_base(void)
{
	const struct timeval most = {.tv_usec = 1000};
	struct event_config *cfg = event_config_new();
	struct event_base *base;

	if (!cfg)
		return NULL;
	event_config_set_max_dispatch_interval(cfg, &most, 8, 2);
	base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (base && event_base_priority_init(base, 3)) {
		event_base_free(base);
		return NULL;
	}
	return base;
}

int server_open(struct server *s, const char *data_dir)
{
	int err = store_open(data_dir, &s->store, s->why, sizeof(s->why));

	if (err)
		return err;
	err = settings_read(data_dir, &s->settings, s->why, sizeof(s->why));
	if (err)
		return err;
	s->base = new_base();
	if (s->base) {
		s->fleet = fleet_new(s->base, s->store);
		s->access = access_new(s->store);
		s->audit = audit_new(s->base, s->store);
	}
	if (!s->base || !s->fleet || !s->access || !s->audit) {
		snprintf(s->why, sizeof(s->why), "cannot read the store, or out of memory: %s",
			 store_message(s->store));
		return -ENOMEM;
	}
	fleet_limit_ranges(s->fleet, (unsigned)s->settings.range_rule_max_ports);
	err = fleet_load(s->fleet);
	if (err)
		snprintf(s->why, sizeof(s->why), "cannot read the store: %s", store_advice(err));
	if (!err)
		err = operator_token_apply(s->access, s->store, s->settings.operator_token, s->why,
					   sizeof(s->why));
	return err;
}

void server_close(struct server *s)
{
	struct event *const events[] = {s->on_int, s->on_term, s->on_hup, s->alive, s->sweep};

	for (int i = 0; i < 5; i++)
		if (events[i])
			event_free(events[i]);
	/* Whoever waits for the store hears of it before anything goes. */
	if (s->store)
		store_settle(s->store);
	renewal_free(s->renewal);
	/* What the operators still wait for is answered by the fleet's end, so that goes first. */
	fleet_free(s->fleet);
	if (s->grpc)
		grpc_server_free(s->grpc);
	sessions_free(s->sessions);
	api_free(s->api);
	enroll_free(s->enroll);
	audit_free(s->audit);
	access_free(s->access);
	SSL_CTX_free(s->grpc_tls);
	SSL_CTX_free(s->http_tls);
	if (s->base)
		event_base_free(s->base);
	store_close(s->store);
	settings_free(&s->settings);
}

/* Open connections keep the old one until they end. */
static int certificate_switched(void *arg)
{
	struct server *s = arg;

	return s->grpc_tls ? tls_pair_reload("control", s->settings.tls_cert_path,
					     s->settings.tls_key_path, s->grpc_tls)
			   : 0;
}

int server_ensure_certificate(struct server *s, const char *data_dir, const char *advertised)
{
	return certificate_ensure(data_dir, s->settings.tls_cert_path, s->settings.tls_key_path,
				  advertised, s->why, sizeof(s->why));
}

int server_open_enroll(struct server *s, const char *data_dir, const char *advertised,
		       const union addr *grpc)
{
	int err = 0;

	/* `serve` has a certificate by now: its listener shows it. */
	if (!s->reads && !s->grpc_tls)
		err = server_ensure_certificate(s, data_dir, advertised);
	if (err)
		return err;
	s->enroll = enroll_new(s->store, s->fleet,
			       &(struct enroll_config){.cert_path = s->settings.tls_cert_path,
						       .advertised = advertised,
						       .audit = s->audit,
						       .any_host = certificate_is_ours(data_dir),
						       .grpc = *grpc});
	if (s->reads)
		return s->enroll ? 0 : -ENOMEM;
	s->renewal = renewal_new(s->fleet,
				 &(struct renewal_config){.data_dir = data_dir,
							  .cert_path = s->settings.tls_cert_path,
							  .key_path = s->settings.tls_key_path,
							  .advertised = advertised,
							  .switched = certificate_switched,
							  .arg = s});
	return s->enroll && s->renewal ? 0 : -ENOMEM;
}

static void count_no_room(void *arg, uint64_t *refused, uint64_t *ended)
{
	const struct server *s = arg;
	const struct grpc_server_figures *f = s->grpc ? grpc_server_figures(s->grpc) : NULL;

	*refused = f ? f->refused : 0;
	*ended = f ? f->ended_for_others : 0;
}

int server_open_api(struct server *s)
{
	s->api = api_new(&(struct api_config){
		.base = s->base,
		.store = s->store,
		.fleet = s->fleet,
		.access = s->access,
		.audit = s->audit,
		.enroll = s->enroll,
		.public_origin = s->settings.operator_http_public_origin,
		.base_path = s->settings.operator_http_base_path,
		.trusted_proxies = s->settings.trusted_proxies,
		.tls = s->http_tls,
		.auth_failures = s->auth_failures,
		.no_room = count_no_room,
		.no_room_arg = s,
	});
	return s->api ? 0 : -ENOMEM;
}
