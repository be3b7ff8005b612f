// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Hands connections to the ports of a range to the one socket that listens for all of them. The kernel
 * asks at each SYN that meets no established connection, before it looks for a listener by the port
 * (Documentation/data-path.md). For all other ports the answer is "go on looking", after one read.
 */
#include "bpf/steer.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define INET  2 /* AF_INET, AF_INET6 */
#define INET6 10

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, STEER_PORTS);
	__type(key, __u32);
	__type(value, struct steer_port);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STEER_RULES_MAX);
	__type(key, __u32);
	__type(value, struct steer_rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, STEER_RULES_MAX);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

static __always_inline int is_there(const struct steer_rule *r, const struct bpf_sk_lookup *ctx)
{
	const __u32 *a = r->address;

	if (!r->family)
		return 1;
	if (r->family != ctx->family)
		return 0;
	if (r->family == INET)
		return !a[0] || a[0] == ctx->local_ip4;
	if (!(a[0] | a[1] | a[2] | a[3]))
		return 1;
	return a[0] == ctx->local_ip6[0] && a[1] == ctx->local_ip6[1] &&
	       a[2] == ctx->local_ip6[2] && a[3] == ctx->local_ip6[3];
}

SEC("sk_lookup")
int steer(struct bpf_sk_lookup *ctx)
{
	__u32 port = ctx->local_port;
	const struct steer_port *p;

	if (ctx->protocol != 6) /* IPPROTO_TCP */
		return SK_PASS;
	p = bpf_map_lookup_elem(&ports, &port);
	if (!p || !p->rule[0])
		return SK_PASS;
	for (int i = 0; i < STEER_AT_PORT; i++) {
		__u32 place = p->rule[i];
		const struct steer_rule *r;
		struct bpf_sock *sk;

		if (!place--)
			break;
		r = bpf_map_lookup_elem(&rules, &place);
		if (!r || !is_there(r, ctx))
			continue;
		sk = bpf_map_lookup_elem(&sockets, &place);
		if (!sk)
			break;
		/* Of a group of sockets the worker is chosen as for any other port. */
		bpf_sk_assign(ctx, sk, 0);
		bpf_sk_release(sk);
		break;
	}
	return SK_PASS;
}
