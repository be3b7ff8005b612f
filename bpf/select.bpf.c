// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Picks, of the sockets that listen on a port (SO_REUSEPORT, one for each worker), the one whose worker
 * has the least to do. The kernel calls this for each SYN; the answer is the socket's place in its
 * group, which is the worker's number, for the sockets began to listen in that order. An answer that is
 * no place leaves the choice to the kernel's hash. Documentation/data-path.md says more.
 */
#include "bpf/select.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile __u32 n_workers = 1;

/* So many are compared. Of more workers it is two, by chance, which is nearly as good and costs two cache
 * lines instead of all (M. Mitzenmacher, The power of two choices in randomized load balancing). */
#define COMPARE_ALL 4
#define COMPARE	    2

/* A worker's turn takes microseconds; one that sleeps wakes once a second. */
#define STILL_BUSY_NS  200000000ull
#define STILL_SLEEP_NS 2500000000ull

#define NOBODY 0xffffffffu

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SELECT_WORKERS_MAX);
	__type(key, __u32);
	__type(value, struct select_worker);
} workers SEC(".maps");

/* Whether it has something to do and does not: blocked, stopped, in an endless turn. */
static __always_inline int stands_still(const volatile struct select_worker *w, __u64 pending,
					__u64 now)
{
	__u64 turn = w->turn_ns, since = w->since_ns;
	__u64 idle = now > turn ? now - turn : 0;

	if (idle > STILL_SLEEP_NS)
		return 1;
	if (idle <= STILL_BUSY_NS)
		return 0;
	return w->busy || (pending && now > since && now - since > STILL_BUSY_NS);
}

SEC("socket")
int select_worker(struct __sk_buff *skb)
{
	__u32 n = n_workers, best = NOBODY, at = bpf_get_prandom_u32();
	__u32 compare = n <= COMPARE_ALL ? n : COMPARE;
	__u64 now = bpf_ktime_get_ns(), least = ~0ull;
	struct select_worker *chosen = 0;

	for (int i = 0; i < COMPARE_ALL; i++) {
		volatile struct select_worker *w;
		__u64 pending, load;
		__u32 index;

		if (i >= compare)
			break;
		if (n > COMPARE_ALL)
			at = bpf_get_prandom_u32();
		index = (at + i) % n;
		w = bpf_map_lookup_elem(&workers, &index);
		if (!w)
			break;
		pending = w->assigned - w->taken;
		if (stands_still(w, pending, now))
			continue;
		/* What is before it in the queue; between equals, who has fewer connections. */
		load = ((pending & 0xffff) + (w->busy ? w->queued : 0)) << 32 | w->open;
		if (load >= least)
			continue;
		least = load;
		best = index;
		chosen = (struct select_worker *)w;
	}
	if (!chosen)
		return NOBODY;
	if (chosen->assigned == *(volatile __u64 *)&chosen->taken)
		chosen->since_ns = now;
	__sync_fetch_and_add(&chosen->assigned, 1);
	return best;
}
