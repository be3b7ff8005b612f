// SPDX-License-Identifier: MIT
/* Which connections are this edge's own, so that one which runs in a circle is seen. */
#include "edge/target/hops.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/clock.h"

/*
 * A connection is accepted soon after it was begun, so an entry counts for this long only, and nobody
 * has to remove it. Meanwhile another process of this host may get the same address and port; its
 * connection is taken for ours only where it goes to the same port as ours did.
 */
#define LIFE_SECS 30

/* An entry is one word: hash of the own address (32 bits), the port it went to (16), time in seconds (8),
 * rules passed (8). 0: none. */
struct hops {
	atomic_ullong noted_ns;		/* when the last entry was made */
	atomic_ushort listeners[65536]; /* by port: what goes elsewhere cannot come back */
	atomic_ullong port[65536];
};

struct hops *hops_new(void)
{
	return calloc(1, sizeof(struct hops));
}

void hops_free(struct hops *h)
{
	free(h);
}

/* An IPv4 address has the same value in its mapped form. */
static uint32_t hash(const union addr *a)
{
	const uint8_t *bytes = a->v6.sin6_addr.s6_addr;
	uint32_t word[4] = {0}, sum = 2166136261u; /* FNV-1a, by words */
	int n = 4;

	if (a->sa.sa_family == AF_INET) {
		word[0] = a->v4.sin_addr.s_addr;
		n = 1;
	} else if (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr)) {
		memcpy(word, bytes + 12, 4);
		n = 1;
	} else {
		memcpy(word, bytes, 16);
	}
	for (int i = 0; i < n; i++)
		sum = (sum ^ word[i]) * 16777619u;
	return sum;
}

void hops_listen(struct hops *h, uint16_t port, int more)
{
	atomic_fetch_add_explicit(&h->listeners[port], (unsigned short)more, memory_order_relaxed);
}

static unsigned seconds(uint64_t ns)
{
	return ns / NS_PER_SEC & 0xff;
}

void hops_note(struct hops *h, int fd, const union addr *to, unsigned passed, uint64_t now_ns)
{
	union addr own;
	socklen_t len = sizeof(own);

	/* Most targets listen on a port that this edge does not, and cost nothing here. */
	if (!atomic_load_explicit(&h->listeners[addr_port(to)], memory_order_relaxed) ||
	    getsockname(fd, &own.sa, &len) < 0)
		return;
	atomic_store_explicit(&h->noted_ns, now_ns, memory_order_relaxed);
	atomic_store_explicit(&h->port[addr_port(&own)],
			      (uint64_t)hash(&own) << 32 | (uint32_t)addr_port(to) << 16 |
				      seconds(now_ns) << 8 | (passed & 0xff),
			      memory_order_relaxed);
}

unsigned hops_passed(const struct hops *h, int fd, const union addr *peer, uint64_t now_ns)
{
	uint64_t last = atomic_load_explicit(&h->noted_ns, memory_order_relaxed), entry;
	unsigned age;
	union addr own;
	socklen_t len = sizeof(own);

	if (!last || (int64_t)(now_ns - last) > (int64_t)(LIFE_SECS * NS_PER_SEC))
		return 0;
	entry = atomic_load_explicit(&h->port[addr_port(peer)], memory_order_relaxed);
	age = (seconds(now_ns) - (unsigned)(entry >> 8)) & 0xff;
	if (entry >> 32 != hash(peer) || age > LIFE_SECS || getsockname(fd, &own.sa, &len) < 0 ||
	    addr_port(&own) != (entry >> 16 & 0xffff))
		return 0;
	return entry & 0xff;
}
