// SPDX-License-Identifier: MIT
/* Clients and rules in two sorted arrays. */
#include "server/fleet/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "server/fleet/history.h"

/* Makes room for one more pointer in a sorted array. */
static int grow(void **array, size_t n, size_t *room)
{
	void *bigger;

	if (n < *room)
		return 0;
	bigger = reallocarray(*array, *room ? *room * 2 : 16, sizeof(void *));
	if (!bigger)
		return -ENOMEM;
	*array = bigger;
	*room = *room ? *room * 2 : 16;
	return 0;
}

/* ---- clients ---- */

/* The first index whose id is not below @id. */
static size_t client_at(const struct fleet *f, const char *id)
{
	size_t lo = 0, hi = f->n_clients;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(f->clients[mid]->id, id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct fleet_client *fleet_client(struct fleet *f, const char *id)
{
	size_t i = client_at(f, id);

	return i < f->n_clients && !strcmp(f->clients[i]->id, id) ? f->clients[i] : NULL;
}

struct fleet_client *fleet_client_by_name(struct fleet *f, const char *name)
{
	struct fleet_client *found = NULL;

	for (size_t i = 0; i < f->n_clients; i++) {
		struct fleet_client *c = f->clients[i];

		if (c->revoked_ms || strcmp(c->name, name))
			continue;
		/* Stores of versions that did not ask have several of a name. */
		if (c->connected)
			return c;
		if (!found)
			found = c;
	}
	return found;
}

struct fleet_client *fleet_client_find(struct fleet *f, const char *text)
{
	struct fleet_client *found = fleet_client(f, text);

	if (!found)
		found = fleet_client_by_name(f, text);
	/* Ids begin with the time, so the last one is the youngest. */
	for (size_t i = f->n_clients; i-- > 0 && !found;)
		if (!strcmp(f->clients[i]->name, text))
			found = f->clients[i];
	return found;
}

/* The hash of a secret is compared, so how long that takes tells nothing of the secret. */
struct fleet_client *fleet_client_by_token(struct fleet *f, const char *token_hash)
{
	for (size_t i = 0; i < f->n_clients; i++)
		if (!strcmp(f->clients[i]->token_hash, token_hash) ||
		    !strcmp(f->clients[i]->next_token_hash, token_hash))
			return f->clients[i];
	return NULL;
}

struct fleet_client *const *fleet_clients(const struct fleet *f, size_t *n)
{
	*n = f->n_clients;
	return f->clients;
}

size_t fleet_connected(const struct fleet *f)
{
	return f->n_connected;
}

bool fleet_is_connected(const struct fleet_client *c)
{
	return c->connected;
}

void model_client_free(struct fleet_client *c)
{
	free(c->name);
	free(c->address);
	free(c->sni);
	free(c);
}

/* A copy that is UTF-8, whatever a hand or another program has put into the store. */
static char *readable(const char *text)
{
	size_t n = strlen(text);
	char *copy = malloc(n + 1);

	if (copy)
		utf8_copy(copy, n + 1, text, n);
	return copy;
}

struct fleet_client *model_client_new(const struct store_client *row)
{
	struct fleet_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	TAILQ_INIT(&c->rules);
	TAILQ_INIT(&c->owners);
	snprintf(c->id, sizeof(c->id), "%s", row->id);
	snprintf(c->token_hash, sizeof(c->token_hash), "%s", row->token_hash);
	c->name = readable(row->name);
	c->address = row->address ? readable(row->address) : NULL;
	c->provisioned_ms = row->provisioned_ms;
	c->revoked_ms = row->revoked_ms;
	if (!c->name || (row->address && !c->address)) {
		model_client_free(c);
		return NULL;
	}
	return c;
}

int model_client_room(struct fleet *f)
{
	return grow((void **)&f->clients, f->n_clients + f->n_redeems, &f->clients_room);
}

int model_client_add(struct fleet *f, struct fleet_client *c)
{
	size_t i = client_at(f, c->id);

	if (model_client_room(f))
		return -ENOMEM;
	memmove(&f->clients[i + 1], &f->clients[i], (f->n_clients - i) * sizeof(f->clients[0]));
	f->clients[i] = c;
	f->n_clients++;
	return 0;
}

void model_client_remove(struct fleet *f, struct fleet_client *c)
{
	size_t i = client_at(f, c->id);

	memmove(&f->clients[i], &f->clients[i + 1], (f->n_clients - i - 1) * sizeof(f->clients[0]));
	f->n_clients--;
	model_client_free(c);
}

/* ---- rules ---- */

/* The first index whose id is not below @id. */
static size_t rule_at(const struct fleet *f, uint64_t id)
{
	size_t lo = 0, hi = f->n_rules;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (f->rules[mid]->rule->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct fleet_rule *fleet_rule(struct fleet *f, uint64_t id)
{
	size_t i = rule_at(f, id);

	return i < f->n_rules && f->rules[i]->rule->id == id ? f->rules[i] : NULL;
}

size_t fleet_rules_after(const struct fleet *f, uint64_t id)
{
	size_t i = rule_at(f, id);

	return i < f->n_rules && f->rules[i]->rule->id == id ? i + 1 : i;
}

struct fleet_rule *const *fleet_rules(const struct fleet *f, size_t *n)
{
	*n = f->n_rules;
	return f->rules;
}

struct fleet_rule *model_rule_new(struct fleet_client *c, struct rule *rule)
{
	struct fleet_rule *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->client = c;
	r->rule = rule;
	r->counters.rule_id = rule->id;
	return r;
}

void model_rule_free(struct fleet_rule *r)
{
	rule_free(r->rule);
	rule_free(r->next);
	free(r->figures);
	free(r->ports);
	free(r);
}

int model_rule_room(struct fleet *f)
{
	return grow((void **)&f->rules, f->n_rules + f->n_inserts, &f->rules_room);
}

int model_rule_add(struct fleet *f, struct fleet_rule *r)
{
	size_t i = rule_at(f, r->rule->id);

	if (model_rule_room(f))
		return -ENOMEM;
	memmove(&f->rules[i + 1], &f->rules[i], (f->n_rules - i) * sizeof(f->rules[0]));
	f->rules[i] = r;
	f->n_rules++;
	/* Ids only grow, and the store gives them in order. */
	TAILQ_INSERT_TAIL(&r->client->rules, r, of_client);
	return 0;
}

void model_rule_remove(struct fleet *f, struct fleet_rule *r)
{
	size_t i = rule_at(f, r->rule->id);

	memmove(&f->rules[i], &f->rules[i + 1], (f->n_rules - i - 1) * sizeof(f->rules[0]));
	f->n_rules--;
	TAILQ_REMOVE(&r->client->rules, r, of_client);
	model_rule_free(r);
}

/* ---- watches ---- */

void fleet_watch(struct fleet_rule *r, struct fleet_watch *w)
{
	LIST_INSERT_HEAD(&r->watches, w, entry);
}

void fleet_unwatch(struct fleet_watch *w)
{
	LIST_REMOVE(w, entry);
}

void model_news(struct fleet_rule *r, enum fleet_news news)
{
	struct fleet_watch *w = LIST_FIRST(&r->watches), *next;

	for (; w; w = next) {
		next = LIST_NEXT(w, entry);
		if (news == FLEET_GONE)
			LIST_REMOVE(w, entry);
		w->news(w, r, news);
	}
}

/* ---- history ---- */

void model_note(struct fleet *f, const char *kind, const struct fleet_client *c,
		const struct fleet_rule *r, const char *detail)
{
	history_add(f->history, &(struct store_event){
					.kind = kind,
					.client_id = c->id,
					.client = c->name,
					.rule_id = r ? r->rule->id : 0,
					.owner = r ? r->rule->owner : NULL,
					.detail = detail && *detail ? detail : NULL,
				});
}
