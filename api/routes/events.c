// SPDX-License-Identifier: MIT
/* /v1/events: what happened to rules, targets and edges, newest first. */
#include "api/routes/events.h"

#include <stdlib.h>

#include "api/call/call.h"
#include "api/call/decode_time.h"
#include "api/call/encode.h"
#include "api/call/json.h"
#include "server/fleet/fleet.h"
#include "server/store/store.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000

static void add_row(void *arg, const struct store_event *e)
{
	json_t *list = arg, *o = json_pack("{s:I,s:o,s:o}", "seq", (json_int_t)e->seq, "at",
					   encode_time(e->at_ms), "kind", json_text(e->kind));

	if (!o)
		return;
	json_object_set_new(o, "client_id", json_text_or_null(e->client_id));
	json_object_set_new(o, "client_name", json_text_or_null(e->client));
	json_object_set_new(o, "rule_id",
			    e->rule_id ? json_integer((json_int_t)e->rule_id) : json_null());
	json_object_set_new(o, "owner", json_text_or_null(e->owner));
	json_object_set_new(o, "target", json_text_or_null(e->target));
	json_object_set_new(o, "detail", json_text_or_null(e->detail));
	json_array_append_new(list, o);
}

/* A call that waits until the rows that are queued have been written. */
struct asked {
	struct call *c;
	char *client, *kind;
	struct store_event_query q;
};

/* Rows that could not be written are missing in the answer. */
static void written(void *arg, int ignored)
{
	struct asked *a = arg;
	struct call *c = a->c;
	json_t *list = json_array();
	int err = list ? store_events(c->api->store, &a->q, add_row, list) : 0;

	free(a->client);
	free(a->kind);
	free(a);
	if (!err) {
		call_json(c, 200, list);
		return;
	}
	json_decref(list);
	call_store_error(c, err);
}

static void ask(struct call *c, const struct store_event_query *q)
{
	struct asked *a = calloc(1, sizeof(*a));

	if (!a) {
		call_json(c, 500, NULL);
		return;
	}
	*a = (struct asked){.c = c,
			    .client = call_query(c, "client"),
			    .kind = call_query(c, "kind"),
			    .q = *q};
	a->q.client = a->client && *a->client ? a->client : NULL;
	a->q.kind = a->kind && *a->kind ? a->kind : NULL;
	/* Operators see what happened to their own rules; viewers and admins all. */
	if (c->who.role == ROLE_OPERATOR)
		a->q.owner = c->who.name;
	if (!fleet_history_flush(c->api->fleet, written, a))
		written(a, 0);
}

static bool read_times(struct call *c, struct store_event_query *q)
{
	char *since = call_query(c, "since"), *until = call_query(c, "until");
	bool good = (!since || decode_time(since, &q->since_ms)) &&
		    (!until || decode_time(until, &q->until_ms));

	free(since);
	free(until);
	if (!good)
		call_error(c, 400, "invalid_timestamp",
			   "invalid_timestamp: since and until are RFC 3339 times");
	return good;
}

void events_get(struct call *c)
{
	struct store_event_query q = {.limit = LIMIT_DEFAULT};
	uint64_t limit;
	bool given;

	if (!read_times(c, &q) || !call_query_number(c, "rule", &q.rule_id, NULL) ||
	    !call_query_number(c, "before", &q.before_seq, NULL) ||
	    !call_query_number(c, "limit", &limit, &given))
		return;
	if (given && (limit < 1 || limit > LIMIT_MAX)) {
		call_error(c, 422, "invalid_limit", "invalid_limit: 1 to %d", LIMIT_MAX);
		return;
	}
	if (given)
		q.limit = (unsigned)limit;
	ask(c, &q);
}
