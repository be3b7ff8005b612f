// SPDX-License-Identifier: MIT
/* From the store into memory. */
#include "server/fleet/load.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/utf8.h"
#include "server/fleet/health_history.h"
#include "server/fleet/history.h"
#include "server/fleet/model.h"
#include "server/fleet/owner.h"

struct load {
	struct fleet *f;
	int err;
};

/* Of a rotation that was not answered: the edge may have the one token or the other. */
static void load_next_token(struct fleet *f, struct fleet_client *c)
{
	char key[64], *hash = NULL;

	snprintf(key, sizeof(key), STORE_NEXT_TOKEN "%s", c->id);
	if (store_setting_get(f->store, key, &hash))
		return;
	utf8_format(c->next_token_hash, sizeof(c->next_token_hash), "%s", hash);
	free(hash);
}

static void load_pins(struct fleet *f, struct fleet_client *c)
{
	char key[64], *pins = NULL;

	snprintf(key, sizeof(key), STORE_BUNDLE_PINS "%s", c->id);
	if (store_setting_get(f->store, key, &pins))
		return;
	utf8_format(c->pins, sizeof(c->pins), "%s", pins);
	free(pins);
}

static bool load_caps_owners(struct fleet *f, const struct fleet_client *c)
{
	char key[64], *value = NULL;

	snprintf(key, sizeof(key), STORE_CAPS_OWNERS "%s", c->id);
	if (store_setting_get(f->store, key, &value))
		return false;
	free(value);
	return true;
}

static void load_client(void *arg, const struct store_client *row)
{
	struct load *l = arg;
	struct fleet_client *c = model_client_new(row);

	if (c) {
		load_next_token(l->f, c);
		load_pins(l->f, c);
		c->caps_owners = load_caps_owners(l->f, c);
	}
	if (!c || model_client_add(l->f, c)) {
		if (c)
			model_client_free(c);
		l->err = -ENOMEM;
	}
}

static struct rule *rule_from_spec(const struct store_rule *row, const char *text)
{
	struct rule_error why;
	json_t *spec = json_loads(text, 0, NULL);
	struct rule *rule = spec ? rule_parse(spec, &why) : NULL;

	json_decref(spec);
	if (!rule)
		return NULL;
	rule->id = row->id;
	free(rule->owner);
	rule->owner = strdup(row->owner);
	if (rule->owner)
		return rule;
	rule_free(rule);
	return NULL;
}

static void load_rule(void *arg, const struct store_rule *row)
{
	struct load *l = arg;
	struct fleet_client *c = fleet_client(l->f, row->client_id);
	struct rule *rule = c ? rule_from_spec(row, row->spec) : NULL;
	struct fleet_rule *r = rule ? model_rule_new(c, rule) : NULL;

	if (!r) {
		/* One unreadable row must not keep a thousand good ones from their edges. */
		log_event(LOG_ERROR, "store.rule_unreadable", LOGF_UINT("rule_id", row->id),
			  LOGF_STR("client_id", row->client_id));
		rule_free(rule);
		return;
	}
	r->state = row->state;
	r->activated = r->state == FLEET_ACTIVE;
	/* Versions that cut by bytes stored halves of characters. */
	utf8_copy(r->reason, sizeof(r->reason), row->reason, strlen(row->reason));
	/* The edge may have taken it over before this server's end. */
	r->next = row->pending_spec ? rule_from_spec(row, row->pending_spec) : NULL;
	r->in_doubt = r->next != NULL;
	r->created_ms = row->created_ms;
	r->changed_ms = row->changed_ms;
	if (model_rule_add(l->f, r)) {
		model_rule_free(r);
		l->err = -ENOMEM;
	}
}

static void load_counters(void *arg, const struct store_counters *row)
{
	struct load *l = arg;
	struct fleet_rule *r = fleet_rule(l->f, row->rule_id);

	if (!r)
		return;
	r->counters = *row;
	r->counted = true;
}

static void load_owner_cap(void *arg, const struct store_owner_cap *row)
{
	struct load *l = arg;
	struct fleet_client *c = fleet_client(l->f, row->client_id);
	json_t *spec = json_loads(row->spec, 0, NULL);
	struct rate_limit limit;
	struct rule_error why;
	struct fleet_owner *o;

	if (!c || !spec || rate_limit_parse(spec, &limit, &why)) {
		log_event(LOG_ERROR, "store.owner_cap_unreadable", LOGF_STR("owner", row->owner),
			  LOGF_STR("client_id", row->client_id));
		json_decref(spec);
		return;
	}
	json_decref(spec);
	o = owner_get(c, row->owner);
	if (!o) {
		l->err = -ENOMEM;
		return;
	}
	o->capped = true;
	o->limit = limit;
	o->updated_ms = row->updated_ms;
}

struct health {
	struct change row[CHANGES_MAX];
	size_t n;
};

/* Newest first, as the store gives them. */
static void load_health(void *arg, const struct store_event *e)
{
	const char *colon = e->target ? strrchr(e->target, ':') : NULL;
	const char *cause = e->detail ? strstr(e->detail, ": ") : NULL;
	struct health *h = arg;
	struct change *c = &h->row[h->n];
	size_t len;

	if (!colon || !e->detail || h->n == CHANGES_MAX)
		return;
	*c = (struct change){.at_ms = e->at_ms,
			     .rule_id = e->rule_id,
			     .index = (uint32_t)strtoul(e->detail, NULL, 10),
			     .port = (uint16_t)strtoul(colon + 1, NULL, 10),
			     .failed = !strcmp(e->kind, EVENT_TARGET_FAILED)};
	if (cause)
		snprintf(c->cause, sizeof(c->cause), "%s", cause + 2);
	len = (size_t)(colon - e->target);
	if (len > 2 && e->target[0] == '[')
		c->host = strndup(e->target + 1, len - 2);
	else
		c->host = strndup(e->target, len);
	h->n += c->host != NULL;
}

static int load_changes(struct fleet *f)
{
	const struct store_event_query q = {.kind = "target.", .limit = CHANGES_MAX};
	struct health *h = calloc(1, sizeof(*h));
	int err = h ? store_events(f->store, &q, load_health, h) : -ENOMEM;

	while (h && h->n) {
		changes_add(f->changes, &h->row[--h->n]);
		free(h->row[h->n].host);
	}
	free(h);
	return err;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct fleet_client *const *)a)->name,
		      (*(struct fleet_client *const *)b)->name);
}

/* Versions that did not ask have let two edges have one name; only an operator knows which is which. */
static void warn_of_namesakes(const struct fleet *f)
{
	struct fleet_client **live = calloc(f->n_clients + 1, sizeof(struct fleet_client *));
	size_t n = 0;

	for (size_t i = 0; live && i < f->n_clients; i++)
		if (!f->clients[i]->revoked_ms)
			live[n++] = f->clients[i];
	if (n)
		qsort(live, n, sizeof(*live), by_name);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(live[i - 1]->name, live[i]->name))
			log_event(LOG_WARN, "client.duplicate_name",
				  LOGF_STR("client", live[i]->name),
				  LOGF_STR("client_id", live[i - 1]->id),
				  LOGF_STR("other_id", live[i]->id),
				  LOGF_STR("advice",
					   "rename-client one of them, by its id: a push by "
					   "name goes to the one that is connected"));
	free(live);
}

int fleet_load(struct fleet *f)
{
	struct load l = {.f = f};
	int err = store_clients(f->store, load_client, &l);

	if (!err && !l.err)
		err = store_rules(f->store, load_rule, &l);
	if (!err && !l.err)
		err = store_owner_caps(f->store, load_owner_cap, &l);
	if (!err && !l.err)
		err = store_counters(f->store, load_counters, &l);
	if (!err && !l.err)
		err = load_changes(f);
	if (!err && !l.err)
		warn_of_namesakes(f);
	return err ? err : l.err;
}
