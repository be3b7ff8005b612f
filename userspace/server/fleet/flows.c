// SPDX-License-Identifier: MIT
/* The flows of UDP rules: asked of their edges, for whoever waits for them. */
#include "server/fleet/flows.h"

#include <errno.h>
#include <stdlib.h>

#include <event2/event.h>

#include "lib/base/utf8.h"
#include "server/fleet/sessions.h"

struct flows_wait {
	TAILQ_ENTRY(flows_wait) entry;
	struct session *session;
	struct event *timeout;
	uint64_t serial;
	flows_fn *done;
	void *arg;
};

static void wait_free(struct flows_wait *w)
{
	TAILQ_REMOVE(&w->session->flows_waits, w, entry);
	event_free(w->timeout);
	free(w);
}

static void fail(struct flows_wait *w, const char *text)
{
	struct fleet_error err;
	flows_fn *done = w->done;
	void *arg = w->arg;

	fleet_error_set(&err, 504, "ack_timeout", "ack_timeout: %s", text);
	wait_free(w);
	done(arg, NULL, 0, false, &err);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	fail(arg, "the edge has not told its flows in time");
}

void flows_on_session_end(struct session *s)
{
	struct flows_wait *w;

	while ((w = TAILQ_FIRST(&s->flows_waits)))
		fail(w, "the edge's session ended before it answered");
}

void flows_on_list(struct session *s, uint64_t serial, const struct flow_row *rows, size_t n,
		   bool more)
{
	struct flows_wait *w;
	flows_fn *done;
	void *arg;

	TAILQ_FOREACH (w, &s->flows_waits, entry)
		if (w->serial == serial)
			break;
	if (!w)
		return;
	done = w->done;
	arg = w->arg;
	wait_free(w);
	done(arg, rows, n, more, NULL);
}

/* Whether the edge can be asked. */
static bool may_ask(const struct fleet_rule *r, struct fleet_error *err)
{
	const struct session *s = r->client->session;
	const struct flows_wait *w;
	unsigned waiting = 0;

	if (!fleet_is_connected(r->client)) {
		fleet_error_set(err, 422, "client_not_connected",
				"client_not_connected: '%.*s' has no live session",
				utf8_cut(r->client->name, 100), r->client->name);
		return false;
	}
	if (!s->flow_list) {
		fleet_error_set(err, 422, "flow_list_unsupported_by_client",
				"a list of flows needs an edge that announces flow-list");
		return false;
	}
	TAILQ_FOREACH (w, &s->flows_waits, entry)
		waiting++;
	if (waiting < FLOW_LIST_WAITERS_MAX)
		return true;
	fleet_error_set(err, 409, "update_in_progress",
			"others wait for flows of this edge already");
	return false;
}

void fleet_flows(struct fleet *f, struct fleet_rule *r, flows_fn *done, void *arg)
{
	const struct timeval wait = {.tv_sec = FLOW_LIST_TIMEOUT_SECS};
	struct session *s = r->client->session;
	struct fleet_error err;
	struct flows_wait *w;

	/* A TCP rule has none, and nobody needs to be asked. */
	if (r->rule->protocol != RULE_UDP) {
		done(arg, NULL, 0, false, NULL);
		return;
	}
	if (!may_ask(r, &err)) {
		done(arg, NULL, 0, false, &err);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (w)
		w->timeout = evtimer_new(f->base, on_timeout, w);
	if (!w || !w->timeout) {
		free(w);
		fleet_error_store(&err, -ENOMEM);
		done(arg, NULL, 0, false, &err);
		return;
	}
	w->session = s;
	w->serial = ++s->flows_asked;
	w->done = done;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&s->flows_waits, w, entry);
	event_add(w->timeout, &wait);
	outbox_send_flow_list_request(&s->out, w->serial, r->rule->id);
}
