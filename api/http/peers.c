// SPDX-License-Identifier: MIT
/* Connections counted by address. */
#include "api/http/peers.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "lib/base/clock.h"

struct peer {
	UT_hash_handle hh;
	uint8_t key[9]; /* the family, and 32 or 64 bits */
	unsigned n;
	uint64_t second; /* of the clock, in which it was refused so often: */
	unsigned refused;
};

struct peers {
	struct peer *table;
};

struct peers *http_peers_new(void)
{
	return calloc(1, sizeof(struct peers));
}

void http_peers_free(struct peers *all)
{
	struct peer *p, *next;

	if (!all)
		return;
	HASH_ITER(hh, all->table, p, next)
	{
		HASH_DEL(all->table, p);
		free(p);
	}
	free(all);
}

static void key_of(const union addr *a, uint8_t key[9])
{
	memset(key, 0, 9);
	if (a->sa.sa_family == AF_INET) {
		key[0] = 4;
		memcpy(key + 1, &a->v4.sin_addr, 4);
	} else if (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr)) {
		key[0] = 4;
		memcpy(key + 1, &a->v6.sin6_addr.s6_addr[12], 4);
	} else {
		key[0] = 6;
		memcpy(key + 1, &a->v6.sin6_addr, 8);
	}
}

struct peer *http_peer_join(struct peers *all, const union addr *addr)
{
	uint8_t key[9];
	struct peer *p;

	key_of(addr, key);
	HASH_FIND(hh, all->table, key, sizeof(key), p);
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return NULL;
		memcpy(p->key, key, sizeof(key));
		HASH_ADD(hh, all->table, key, sizeof(p->key), p);
	}
	p->n++;
	return p;
}

void http_peer_leave(struct peers *all, struct peer *p)
{
	if (!p || --p->n)
		return;
	HASH_DEL(all->table, p);
	free(p);
}

unsigned http_peer_count(const struct peer *p)
{
	return p->n;
}

bool http_peer_refused(struct peer *p, uint64_t now_ns)
{
	uint64_t second = now_ns / NS_PER_SEC;

	if (second != p->second)
		p->refused = 0;
	p->second = second;
	return ++p->refused > PEER_REFUSALS_FREE;
}
