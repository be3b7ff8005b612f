// SPDX-License-Identifier: MIT
/* What makes a target the same one after a restart. */
#include "edge/account/identity.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "bpf/account.h"

/* FNV-1a, 64 bits: short strings, no adversary. */
static uint64_t fnv(uint64_t h, const void *data, size_t n)
{
	const unsigned char *p = data;

	while (n--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

#define FNV_BASIS 0xcbf29ce484222325ull

/* A text too long for its place keeps its beginning and gets a hash of all of it. */
static void shorten(char *out, size_t size, const char *text)
{
	size_t n = strlen(text);

	memset(out, 0, size);
	if (n < size)
		memcpy(out, text, n);
	else
		snprintf(out, size, "%.*s~%016llx", (int)(size - 18), text,
			 (unsigned long long)fnv(FNV_BASIS, text, n));
}

void account_identity(struct account_target *t, const char *scope, const struct account_key *key)
{
	char name[320];
	size_t n;

	memset(t, 0, sizeof(*t));
	shorten(t->scope, sizeof(t->scope), scope);
	if (key->host) {
		/* As rules compare hosts: case and a trailing dot make no difference. */
		n = (size_t)snprintf(name, sizeof(name), "%.300s", key->host);
		if (n && name[n - 1] == '.')
			n--;
		for (size_t i = 0; i < n; i++)
			name[i] = (char)tolower((unsigned char)name[i]);
		snprintf(name + n, sizeof(name) - n, ":%u", key->port);
		t->port = key->port;
		t->index = key->index;
	} else {
		snprintf(name, sizeof(name), "(unassigned)");
		t->index = ACCOUNT_INDEX_NONE;
	}
	shorten(t->name, sizeof(t->name), name);
	t->rule_id = key->rule_id;
	t->listen_port = key->listen_port;
}

uint64_t account_rule_hash(const char *scope, uint64_t rule_id)
{
	return fnv(fnv(FNV_BASIS, scope, strnlen(scope, ACCOUNT_SCOPE_LEN)), &rule_id,
		   sizeof(rule_id));
}

bool account_identity_equal(const struct account_target *a, const struct account_target *b)
{
	return a->rule_id == b->rule_id && a->listen_port == b->listen_port && a->port == b->port &&
	       !strncmp(a->name, b->name, sizeof(a->name)) &&
	       !strncmp(a->scope, b->scope, sizeof(a->scope));
}

uint64_t account_identity_hash(const struct account_target *t)
{
	uint64_t h = fnv(FNV_BASIS, t->name, strnlen(t->name, sizeof(t->name)));

	h = fnv(h, t->scope, strnlen(t->scope, sizeof(t->scope)));
	h = fnv(h, &t->rule_id, sizeof(t->rule_id));
	h = fnv(h, &t->listen_port, sizeof(t->listen_port));
	return fnv(h, &t->port, sizeof(t->port));
}
