// SPDX-License-Identifier: MIT
/* The clients: finding them, and what operators change of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "server/fleet_internal.h"

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
		if (fleet_is_connected(c))
			return c;
		if (!found)
			found = c;
	}
	return found;
}

/* The hash of a secret is compared, so how long that takes tells nothing of the secret. */
struct fleet_client *fleet_client_by_token(struct fleet *f, const char *token_hash)
{
	for (size_t i = 0; i < f->n_clients; i++)
		if (!strcmp(f->clients[i]->token_hash, token_hash))
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
	return c->session && c->session->ready;
}

bool fleet_session_info(const struct fleet_client *c, struct fleet_session_info *out)
{
	const struct session *s = c->session;

	if (!fleet_is_connected(c))
		return false;
	*out = (struct fleet_session_info){
		.remote_addr = s->remote_addr,
		.version = s->version[0] ? s->version : s->client_version,
		.client_version = s->client_version,
		.accounting = s->accounting,
		.connected_ms = s->connected_ms,
	};
	return true;
}

void fleet_client_free(struct fleet_client *c)
{
	free(c->name);
	free(c->address);
	free(c);
}

struct fleet_client *fleet_client_new(const struct store_client *row)
{
	struct fleet_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	TAILQ_INIT(&c->rules);
	snprintf(c->id, sizeof(c->id), "%s", row->id);
	snprintf(c->token_hash, sizeof(c->token_hash), "%s", row->token_hash);
	c->name = strdup(row->name);
	c->address = row->address ? strdup(row->address) : NULL;
	c->provisioned_ms = row->provisioned_ms;
	c->revoked_ms = row->revoked_ms;
	if (!c->name || (row->address && !c->address)) {
		fleet_client_free(c);
		return NULL;
	}
	return c;
}

int fleet_index_client(struct fleet *f, struct fleet_client *c)
{
	size_t i = client_at(f, c->id);

	if (fleet_grow((void **)&f->clients, f->n_clients, &f->clients_room))
		return -ENOMEM;
	memmove(&f->clients[i + 1], &f->clients[i], (f->n_clients - i) * sizeof(f->clients[0]));
	f->clients[i] = c;
	f->n_clients++;
	return 0;
}

static struct store_client row_of(const struct fleet_client *c)
{
	return (struct store_client){
		.id = c->id,
		.name = c->name,
		.address = c->address,
		.token_hash = c->token_hash,
		.provisioned_ms = c->provisioned_ms,
		.revoked_ms = c->revoked_ms,
	};
}

/* Stores @row first; *text then becomes a copy of @value. */
static int replace_text(struct fleet *f, const struct store_client *row, char **text,
			const char *value)
{
	char *copy = strdup(value);
	int err = copy ? store_client_put(f->store, row) : -ENOMEM;

	if (err) {
		free(copy);
		return err;
	}
	free(*text);
	*text = copy;
	return 0;
}

int fleet_client_rename(struct fleet *f, struct fleet_client *c, const char *name)
{
	struct store_client row = row_of(c);

	row.name = name;
	return replace_text(f, &row, &c->name, name);
}

int fleet_client_readdress(struct fleet *f, struct fleet_client *c, const char *address)
{
	struct store_client row = row_of(c);

	row.address = address;
	return replace_text(f, &row, &c->address, address);
}

int fleet_client_revoke(struct fleet *f, struct fleet_client *c)
{
	struct store_client row = row_of(c);
	int err;

	if (!c->revoked_ms) {
		row.revoked_ms = clock_wall_ms();
		err = store_client_put(f->store, &row);
		if (err)
			return err;
		c->revoked_ms = row.revoked_ms;
	}
	if (c->session)
		fleet_session_drop(c->session, "token_revoked");
	return 0;
}

int fleet_client_delete(struct fleet *f, struct fleet_client *c)
{
	int err = store_client_delete(f->store, c->id);
	size_t i = client_at(f, c->id);

	if (err)
		return err;
	if (c->session)
		fleet_session_drop(c->session, "token_revoked");
	while (!TAILQ_EMPTY(&c->rules))
		fleet_drop_rule(f, TAILQ_FIRST(&c->rules));
	memmove(&f->clients[i], &f->clients[i + 1], (f->n_clients - i - 1) * sizeof(f->clients[0]));
	f->n_clients--;
	fleet_client_free(c);
	return 0;
}

int fleet_client_redeem(struct fleet *f, const char *code_hash, const struct store_code *code,
			const char *token_hash)
{
	struct fleet_client *old = fleet_client(f, code->client_id), *c = NULL;
	struct store_client row = {
		.id = code->client_id,
		.name = old ? old->name : code->name,
		.address = old ? old->address : code->address,
		.token_hash = token_hash,
		.provisioned_ms = old ? old->provisioned_ms : clock_wall_ms(),
	};
	int err;

	if (!old) {
		c = fleet_client_new(&row);
		if (!c || fleet_grow((void **)&f->clients, f->n_clients, &f->clients_room)) {
			if (c)
				fleet_client_free(c);
			return -ENOMEM;
		}
	}
	err = store_code_redeem(f->store, code_hash, &row);
	if (err) {
		if (c)
			fleet_client_free(c);
		return err;
	}
	if (c)
		return fleet_index_client(f, c); /* there is room */
	snprintf(old->token_hash, sizeof(old->token_hash), "%s", token_hash);
	old->revoked_ms = 0;
	if (old->session)
		fleet_session_drop(old->session, "token_rotated");
	return 0;
}
