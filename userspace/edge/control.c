// SPDX-License-Identifier: MIT
/* The control channel as the program sees it: begin and end, the bundle, news to and from the table. */
#include "edge/control.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/apply.h"
#include "edge/control_private.h"
#include "edge/control_rules.h"
#include "edge/control_session.h"
#include "edge/control_stats.h"
#include "lib/clock.h"
#include "lib/grpc.h"
#include "lib/hex.h"
#include "lib/log.h"

#define HURRY_EVERY_SECS 5 /* hosts of containers change their network all the time */

void control_scope(const struct bundle *b, char out[CONTROL_SCOPE_MAX])
{
	char pin[2 * sizeof(b->pin) + 1];

	hex_write(b->pin, sizeof(b->pin), pin);
	/* Bundles of old servers have no id; a name is no ULID. */
	if (*b->client_id)
		snprintf(out, CONTROL_SCOPE_MAX, "%s/%s", pin, b->client_id);
	else
		snprintf(out, CONTROL_SCOPE_MAX, "%s/name:%s", pin, b->client_name);
}

/* ---- the bundle ---- */

static bool use_bundle(struct control *c, const struct bundle *b)
{
	const char *wrong = endpoint_split(b->server_endpoint, strlen(b->server_endpoint), c->host,
					   &c->port);

	if (wrong)
		log_event(LOG_ERROR, "control.bundle_refused",
			  LOGF_STR("path", c->config.bundle_path), LOGF_STR("error", wrong),
			  LOGF_STR("field", "server_endpoint"));
	else
		c->bundle = *b;
	return !wrong;
}

void control_reload(struct control *c)
{
	char why[BUNDLE_ERROR_SIZE], mine[CONTROL_SCOPE_MAX], theirs[CONTROL_SCOPE_MAX];
	struct bundle b;

	if (bundle_read(c->config.bundle_path, &b, why)) {
		log_event(LOG_ERROR, "control.bundle_refused", LOGF_STR("error", why),
			  LOGF_STR("hint", "the bundle in use is kept"));
		return;
	}
	control_scope(&c->bundle, mine);
	control_scope(&b, theirs);
	/* A server whose certificate was renewed is known by another pin; an id is made only once. */
	if (strcmp(mine, theirs) && (!*b.client_id || strcmp(b.client_id, c->bundle.client_id))) {
		log_event(LOG_ERROR, "control.bundle_refused",
			  LOGF_STR("path", c->config.bundle_path),
			  LOGF_STR("error", "it is for another server or client"),
			  LOGF_STR("hint", "restart portunus-client to change over"));
		return;
	}
	if (c->connected && !strcmp(mine, theirs) && !strcmp(b.token, c->bundle.token) &&
	    !strcmp(b.server_endpoint, c->bundle.server_endpoint))
		return;
	if (!use_bundle(c, &b))
		return;
	control_rules_rescope(c->rules, theirs);
	log_event(LOG_INFO, "control.bundle_loaded", LOGF_STR("path", c->config.bundle_path));
	c->revoked = false;
	c->attempt = 0;
	c->last_error[0] = '\0';
	control_disconnect(c);
	control_connect(c);
}

/* ---- news ---- */

void control_network_changed(struct control *c)
{
	uint64_t now = clock_mono_ns();

	/* Who was refused was heard: that has nothing to do with routes. */
	if (c->refused || !evtimer_pending(c->retry, NULL) ||
	    now - c->hurried_ns < HURRY_EVERY_SECS * NS_PER_SEC)
		return;
	c->hurried_ns = now;
	control_retry_within(c, c->config.reconnect_initial_ms);
}

void control_rules_news(struct control *c, struct rule_state *rs)
{
	if (!rs)
		control_rules_changed(c->rules);
	else if (c->connected && rs->status == RULE_ACTIVE &&
		 session_rule_active(c->session, rs->id))
		control_give_up(c, GRPC_INTERNAL, "a rule's status could not be sent");
}

void control_health_news(struct control *c, const struct rule_state *rs)
{
	stats_health_changed(c->stats, rs->id);
}

void control_view(const struct control *c, struct control_view *out)
{
	*out = (struct control_view){
		.server = c->bundle.server_endpoint,
		.server_version = c->connected ? c->server_version : "",
		.last_error = c->last_error,
		.since_unix_ms = c->since_unix_ms,
		.connected = c->connected,
		.revoked = c->revoked,
		.unconfirmed = control_rules_unconfirmed(c->rules),
	};
}

/* ---- life ---- */

static int send_report(void *arg, Portunus__V1__StatsReport *report)
{
	struct control *c = arg;

	return c->session ? session_report(c->session, report) : -EPIPE;
}

struct control *control_new(const struct control_config *config)
{
	struct control *c = calloc(1, sizeof(*c));
	char scope[CONTROL_SCOPE_MAX];
	struct control_rules_config rules = {
		.base = config->base,
		.edge = config->edge,
		.account = config->account,
		.path = config->saved_path,
		.scope = scope,
	};
	struct stats_config stats = {
		.base = config->base,
		.edge = config->edge,
		.account = config->account,
		.refresher = config->refresher,
		.interval_secs = config->report_interval_secs,
		.send = send_report,
		.arg = c,
	};

	if (!c)
		return NULL;
	c->config = *config;
	control_scope(config->bundle, scope);
	c->rules = control_rules_new(&rules);
	c->stats = stats_sender_new(&stats);
	if (control_link_init(c) < 0 || !c->rules || !c->stats || !use_bundle(c, config->bundle)) {
		control_free(c);
		return NULL;
	}
	control_rules_load(c->rules);
	control_connect(c);
	return c;
}

void control_stop(struct control *c)
{
	c->stopped = true;
	evtimer_del(c->retry);
	control_rules_flush(c->rules);
	if (c->conn)
		grpc_conn_close(c->conn);
}

void control_free(struct control *c)
{
	if (!c)
		return;
	control_link_free(c);
	stats_sender_free(c->stats);
	control_rules_free(c->rules);
	free(c);
}
