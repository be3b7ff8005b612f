// SPDX-License-Identifier: MIT
/* GET /v1/rules: the list, made a little at a time, in pages and with an entity tag. */
#include "api/routes/rules_list.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "api/call/call.h"
#include "api/call/encode.h"
#include "api/call/scope.h"
#include "api/call/slices.h"
#include "lib/base/clock.h"
#include "server/fleet/model.h"

#define LIMIT_MAX  10000
#define LOOK_EVERY 8 /* rows between two looks at the clock */

/* A list in the making. Rules that come and go meanwhile are in it or not; none is there twice. */
struct listing {
	struct slice slice; /* first: what slices.c hands back */
	struct call *c;
	char *client, *owner; /* only those of this edge, by name or id, and owner; NULL: all */
	bool with_stats;
	uint64_t after, limit, n; /* ids above @after; @limit 0: no pages */
	bool more;		  /* there is a next page */
	struct evbuffer *out;
	struct etag *etag;
};

static void listing_free(struct listing *l)
{
	free(l->client);
	free(l->owner);
	etag_drop(l->etag);
	if (l->out)
		evbuffer_free(l->out);
	free(l);
}

static void listing_drop(struct slice *s)
{
	struct listing *l = (struct listing *)s;

	call_free(l->c);
	listing_free(l);
}

/* Appends to the body and to what is hashed of it. */
static void put(struct listing *l, const char *text, size_t len)
{
	evbuffer_add(l->out, text, len);
	etag_add(l->etag, text, len);
}

/* Row by row: ten thousand rules as one tree of JSON take twice the time. */
static void put_row(struct listing *l, const struct fleet_rule *r)
{
	json_t *row = encode_rule_row(r, l->with_stats);
	char *text = row ? json_dumps(row, JSON_COMPACT) : NULL;

	/* A rule that cannot be shown does not take the others with it. */
	if (!text && asprintf(&text,
			      "{\"id\":%llu,\"state\":{\"kind\":\"failed\",\"reason\":"
			      "\"the server cannot show this rule\"}}",
			      (unsigned long long)r->rule->id) < 0)
		text = NULL;
	json_decref(row);
	put(l, l->n++ ? "," : "[", 1);
	if (text)
		put(l, text, strlen(text));
	free(text);
}

static bool wanted(const struct listing *l, const struct fleet_rule *r)
{
	if (!call_may_see(l->c, r) || (l->owner && strcmp(l->owner, r->rule->owner)))
		return false;
	return !l->client || !strcmp(l->client, r->client->name) ||
	       !strcmp(l->client, r->client->id);
}

/* The query with another `after`, in a Link to the next page. */
static void add_link(struct listing *l)
{
	struct call *c = l->c;
	char *kept = strdup(""), *rest = c->query ? strdup(c->query) : NULL, *save = NULL;

	for (char *p = rest ? strtok_r(rest, "&", &save) : NULL; p && kept;
	     p = strtok_r(NULL, "&", &save)) {
		char *more;

		if (!strncmp(p, "after=", 6) || strpbrk(p, "<>\" "))
			continue;
		more = NULL;
		if (asprintf(&more, "%s%s&", kept, p) < 0)
			more = NULL;
		free(kept);
		kept = more;
	}
	if (kept)
		call_add_header(c, "Link", "<%s/v1/rules?%safter=%llu>; rel=\"next\"",
				c->api->base_path, kept, (unsigned long long)l->after);
	free(kept);
	free(rest);
}

static void listing_done(struct listing *l)
{
	struct evbuffer *out = l->out;
	char etag[ETAG_SIZE];

	put(l, l->n ? "]" : "[]", l->n ? 1 : 2);
	etag_end(l->etag, NULL, etag);
	l->etag = NULL;
	l->out = NULL;
	if (l->more)
		add_link(l);
	call_tagged(l->c, out, etag);
	listing_free(l);
}

static bool listing_step(struct slice *s, uint64_t until_ns)
{
	struct listing *l = (struct listing *)s;
	size_t n;
	struct fleet_rule *const *rules = fleet_rules(l->c->api->fleet, &n);

	for (size_t i = fleet_rules_after(l->c->api->fleet, l->after); i < n && l->c->link; i++) {
		if (i % LOOK_EVERY == 0 && clock_mono_ns() > until_ns)
			return false;
		if (wanted(l, rules[i])) {
			if (l->limit && l->n == l->limit) {
				l->more = true;
				break;
			}
			put_row(l, rules[i]);
		}
		l->after = rules[i]->rule->id;
	}
	listing_done(l);
	return true;
}

/* The page that the query asks for; false: answered. */
static bool read_page(struct call *c, struct listing *l)
{
	bool limited;

	if (!call_query_number(c, "limit", &l->limit, &limited) ||
	    !call_query_number(c, "after", &l->after, NULL))
		return false;
	if (limited && (l->limit < 1 || l->limit > LIMIT_MAX)) {
		call_error(c, 422, "invalid_limit", "invalid_limit: 1 to %d", LIMIT_MAX);
		return false;
	}
	return true;
}

static char *query_text(struct call *c, const char *name)
{
	char *text = call_query(c, name);

	if (text && !*text) {
		free(text);
		text = NULL;
	}
	return text;
}

void rules_list(struct call *c)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (!l) {
		call_json(c, 500, NULL);
		return;
	}
	if (!read_page(c, l)) {
		listing_free(l);
		return;
	}
	l->slice.step = listing_step;
	l->slice.drop = listing_drop;
	l->c = c;
	l->client = query_text(c, "client");
	l->owner = c->who.role == ROLE_ADMIN ? query_text(c, "owner") : NULL;
	l->with_stats = call_flag(c, "stats");
	l->out = evbuffer_new();
	l->etag = etag_begin();
	if (!l->out || !l->etag) {
		listing_free(l);
		call_json(c, 500, NULL);
	} else if (c->local) {
		listing_step(&l->slice, UINT64_MAX);
	} else {
		slices_run(c->api->slices, &l->slice);
	}
}
