// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The kernel relay: joins two established TCP connections of the edge at packet level.
 *
 * `ingress` and `egress` are attached to every interface by tcx; `flip` and `fold` are run by user space
 * (BPF_PROG_TEST_RUN) and never attached. Documentation/kernel-relay.md explains the whole. Compiled
 * with -fno-strict-aliasing: header fields are read and summed in other widths than they are written.
 */
#include "bpf/kernel.h"
#include "bpf/account.h"
#include "bpf/relay.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_core_read.h>
#include <stdbool.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Set by user space before loading. */
const volatile __u32 lo_ifindex = 1;
/* Our own timestamps run this far ahead of the socket's clock, so that what the old socket still has
 * under way never looks older than what it sent last (PAWS, RFC 7323). */
#define TS_MARGIN_MS 4

#define ICMPV6 58 /* linux/icmpv6.h wants more than it is worth */

#define PASS (-1) /* TCX_NEXT, and TC_ACT_UNSPEC of clsact */
#define DROP 2	  /* TCX_DROP, TC_ACT_SHOT */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RELAY_PAIRS * 2);
	__type(key, struct relay_tuple);
	__type(value, __u32); /* slot * 2 + leg */
} tuples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RELAY_PAIRS);
	__type(key, __u32);
	__type(value, struct relay_pair);
} pairs SEC(".maps");

/* The accounting's own map, where it counts in the kernel. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, ACCOUNT_TARGETS_MAX);
	__type(key, __u64);
	__type(value, struct account_target);
} targets SEC(".maps");

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
};

/* A ring for each worker; of this process only, so never pinned. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, RELAY_WORKERS_MAX);
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps");

/* ---- checksums ---- */

static __always_inline void change(__u64 *sum, __u32 from, __u32 to)
{
	*sum += (__u32)~from;
	*sum += to;
}

static __always_inline __u32 fold32(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (sum & 0xffffffff) + (sum >> 32);
}

static __always_inline __u16 fold16(__u64 sum)
{
	sum = fold32(sum);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* ---- a packet's headers ---- */

struct ipv6_header {
	__u32 first;
	__u16 payload_len;
	__u8 nexthdr, hop_limit;
	__u32 saddr[4], daddr[4];
};

struct headers {
	struct iphdr *ip4;
	struct ipv6_header *ip6;
	struct tcphdr *tcp;
	void *end;
	__s32 payload; /* bytes of TCP payload */
};

static __always_inline __u32 tcp_at(bool v6)
{
	return sizeof(struct ethhdr) + (v6 ? sizeof(struct ipv6_header) : sizeof(struct iphdr));
}

static __always_inline bool point(struct __sk_buff *skb, struct headers *h, bool v6)
{
	void *data = (void *)(long)skb->data;

	h->end = (void *)(long)skb->data_end;
	h->ip4 = data + sizeof(struct ethhdr);
	h->ip6 = data + sizeof(struct ethhdr);
	h->tcp = data + tcp_at(v6);
	return data + tcp_at(v6) + sizeof(struct tcphdr) <= h->end;
}

/* 0: a whole TCP segment without options of IP; 1: a first fragment of one; -1: neither. */
static __always_inline int parse(struct __sk_buff *skb, struct headers *h, bool v6)
{
	__u32 need = tcp_at(v6) + sizeof(struct tcphdr), len;

	if (!point(skb, h, v6)) {
		if (skb->len < need || bpf_skb_pull_data(skb, need) || !point(skb, h, v6))
			return -1;
	}
	if (v6) {
		if (h->ip6->nexthdr != IPPROTO_TCP)
			return -1;
		len = bpf_ntohs(h->ip6->payload_len);
		if (!len) /* a packet beyond 64 KiB, before it is cut */
			len = skb->len - sizeof(struct ethhdr) - sizeof(struct ipv6_header);
	} else {
		if (*(__u8 *)h->ip4 != 0x45 || h->ip4->protocol != IPPROTO_TCP ||
		    (h->ip4->frag_off & bpf_htons(0x1fff)))
			return -1;
		len = bpf_ntohs(h->ip4->tot_len);
		if (!len)
			len = skb->len - sizeof(struct ethhdr);
		len -= sizeof(struct iphdr);
	}
	h->payload = (__s32)len - h->tcp->doff * 4;
	if (!v6 && (h->ip4->frag_off & bpf_htons(0x2000)))
		return 1;
	return 0;
}

static __always_inline void copy_address(__u32 *to, const __u32 *from)
{
	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
	to[3] = from[3];
}

/* The pair that a packet belongs to, or NULL. */
static __always_inline struct relay_pair *find(const struct headers *h, bool v6, bool out,
					       struct relay_tuple *k, __u32 *slot, __u32 *leg)
{
	__u32 *value;

	__builtin_memset(k, 0, sizeof(*k));
	if (v6) {
		copy_address(k->peer, out ? h->ip6->daddr : h->ip6->saddr);
		copy_address(k->local, out ? h->ip6->saddr : h->ip6->daddr);
	} else {
		k->peer[0] = out ? h->ip4->daddr : h->ip4->saddr;
		k->local[0] = out ? h->ip4->saddr : h->ip4->daddr;
	}
	k->peer_port = out ? h->tcp->dest : h->tcp->source;
	k->local_port = out ? h->tcp->source : h->tcp->dest;
	value = bpf_map_lookup_elem(&tuples, k);
	if (!value)
		return NULL;
	*slot = *value >> 1;
	*leg = *value & 1;
	return bpf_map_lookup_elem(&pairs, slot);
}

/* ---- observing, and the end ---- */

/* A sequence number that only goes up, whoever else raises it at the same time. */
static __always_inline void raise(__u32 *number, __u32 to)
{
#pragma unroll
	for (int i = 0; i < 3; i++) {
		__u32 now = *(volatile __u32 *)number;

		if ((__s32)(to - now) <= 0 || __sync_val_compare_and_swap(number, now, to) == now)
			return;
	}
}

static __always_inline void saw(struct relay_leg *d, __u32 end, bool has_ack, __u32 ack)
{
	if (!d->seen) {
		d->seen_end = end;
		if (has_ack)
			d->seen_ack = ack;
		d->seen = 1;
		return;
	}
	raise(&d->seen_end, end);
	if (has_ack)
		raise(&d->seen_ack, ack);
}

/*
 * Whether the receiver would take what this segment says (RFC 9293 3.10.7.4, RFC 5961 5): it reaches what the
 * receiver awaits, or lies behind that by no more than a window that the sender was told, and it acknowledges
 * nothing that was never sent. Anybody who knows addresses and ports can send the rest; it goes on to
 * the receiver, who drops it, and is not noted. What the receiver has acknowledged is no more than it awaits.
 */
static __always_inline bool is_credible(const struct relay_leg *d, const struct relay_leg *other,
					__u32 seq, __u32 end, bool has_ack, __u32 ack)
{
	__u32 awaited = other->handed_una + *(volatile __u32 *)&other->acked - d->seq_add;
	__u32 sent = other->seen_end + other->seq_add;

	return (__s32)(end - awaited) >= 0 && (__s32)(seq - d->limit) <= 0 &&
	       (!has_ack || (__s32)(ack - sent) <= 0);
}

/* Returns whether the packet has still to be translated, because the pair was joined meanwhile. */
static __always_inline bool observe(struct relay_pair *p, struct relay_leg *d,
				    const struct headers *h, __u64 word)
{
	__u32 end = bpf_ntohl(h->tcp->seq) + h->payload + h->tcp->fin;
	__u64 was;

	/* First noted, then counted: whoever sees the old count must not miss what it says. */
	if (!h->tcp->syn)
		saw(d, end, h->tcp->ack, bpf_ntohl(h->tcp->ack_seq));
	was = __sync_val_compare_and_swap(&p->word, word, word + RELAY_COUNT_ONE);
	if (was == word)
		return false;
	if (RELAY_STATE(was) == RELAY_JOINED)
		return true;
	/* Two packets at once. The second try is an addition, which cannot fail: that it comes after a
	 * flip is as good as impossible, and then it is a count of nothing. */
	was = __sync_fetch_and_add(&p->word, RELAY_COUNT_ONE);
	return RELAY_STATE(was) == RELAY_JOINED;
}

static __always_inline void end(struct relay_pair *p, __u32 slot)
{
	struct relay_event *e;
	__u64 word = *(volatile __u64 *)&p->word;
	__u32 worker = p->worker;
	void *ring;

	if (__sync_fetch_and_or(&p->flags, RELAY_TOLD) & RELAY_TOLD)
		return;
	if (RELAY_STATE(word) == RELAY_JOINED)
		__sync_val_compare_and_swap(&p->word, word, (word & ~0xffull) | RELAY_ENDED);
	ring = bpf_map_lookup_elem(&rings, &worker);
	if (!ring)
		return;
	/* Without room user space finds the state when it looks by itself. */
	e = bpf_ringbuf_reserve(ring, sizeof(*e), 0);
	if (!e)
		return;
	e->slot = slot;
	e->generation = p->generation;
	bpf_ringbuf_submit(e, 0);
}

static __always_inline void count_ack(struct relay_leg *d, __u32 ack)
{
	__u64 now = *(volatile __u64 *)&d->acked;
	__s32 more = (__s32)(ack - (d->handed_una + (__u32)now));

	if (!d->old_acked && (__s32)(ack - d->handed_snd) >= 0)
		d->old_acked = 1;
	if (more <= 0)
		return;
	if (__sync_val_compare_and_swap(&d->acked, now, now + more) == now)
		return;
	now = *(volatile __u64 *)&d->acked;
	more = (__s32)(ack - (d->handed_una + (__u32)now));
	if (more > 0)
		__sync_val_compare_and_swap(&d->acked, now, now + more);
}

/* What FIN and RST mean for the pair. @seq, @ack: as they came. */
static __always_inline void note_flags(struct relay_pair *p, struct relay_leg *d,
				       struct relay_leg *other, __u32 slot, __u32 leg,
				       const struct tcphdr *t, __u32 seq, __s32 payload, __u32 ack,
				       bool credible)
{
	__u32 my_fin = leg ? RELAY_FIN1 : RELAY_FIN0, fins;

	if (credible && t->fin && !(p->flags & my_fin)) {
		d->fin_end = seq + d->seq_add + payload + 1;
		__sync_fetch_and_or(&p->flags, my_fin);
	}
	if (credible && t->ack && (p->flags & (leg ? RELAY_FIN0 : RELAY_FIN1)) &&
	    (__s32)(ack - other->fin_end) >= 0)
		__sync_fetch_and_or(&p->flags, leg ? RELAY_FIN_ACKED0 : RELAY_FIN_ACKED1);
	fins = p->flags & (RELAY_FIN_ACKED0 | RELAY_FIN_ACKED1);
	if (t->rst) {
		/* RFC 5961: believed when it is exactly what the receiver waits for. That is what it
		 * has acknowledged, or the end of all that was sent to it. */
		__u32 acked = other->handed_una + (__u32)other->acked;

		if (seq == d->seen_end || seq + d->seq_add == acked)
			__sync_fetch_and_or(&p->flags, leg ? RELAY_RST1 : RELAY_RST0);
		else
			__sync_fetch_and_or(&p->flags, RELAY_RST_SEEN);
	}
	if (fins == (RELAY_FIN_ACKED0 | RELAY_FIN_ACKED1) || (p->flags & (RELAY_RST0 | RELAY_RST1)))
		end(p, slot);
}

/* ---- options of TCP ---- */

#define OPTIONS_MAX 40

/* Where the options lie that have to change; 0: not there. From the beginning of the options. */
struct option_places {
	__u8 bytes[OPTIONS_MAX];
	__u32 len;
	__u32 at;
	__u32 ts, sack, sack_len;
};

static long walk_step(__u32 i, void *ctx)
{
	struct option_places *o = ctx;
	__u32 at = o->at, kind, len;

	if (at >= o->len || at >= OPTIONS_MAX)
		return 1;
	kind = o->bytes[at];
	if (!kind)
		return 1;
	if (kind == 1) {
		o->at = at + 1;
		return 0;
	}
	if (at + 1 >= o->len || at + 1 >= OPTIONS_MAX)
		return 1;
	len = o->bytes[at + 1];
	if (len < 2 || at + len > o->len)
		return 1;
	if (kind == 8 && len == 10)
		o->ts = at + 2;
	if (kind == 5) {
		o->sack = at + 2;
		o->sack_len = len - 2;
	}
	o->at = at + len;
	return 0;
}

/* Adds @add to the number at @at of the packet; the checksum's change goes to @sum. */
static __always_inline int add_at(struct __sk_buff *skb, __u32 at, __u32 add, bool odd, __u64 *sum)
{
	__u64 change_here = 0;
	__u32 from, to;
	__u16 folded;

	if (bpf_skb_load_bytes(skb, at, &from, sizeof(from)))
		return -1;
	to = bpf_htonl(bpf_ntohl(from) + add);
	change(&change_here, from, to);
	folded = fold16(change_here);
	if (odd)
		folded = __builtin_bswap16(folded);
	*sum += folded;
	return bpf_skb_store_bytes(skb, at, &to, sizeof(to), 0);
}

struct option_adds {
	__u32 options_at, len, ts, tsecr, ack;
	__u64 sum;
};

/* Options in any layout: seldom, so by a copy and a walk. Its own function for the verifier's sake. */
__noinline int general_options(struct __sk_buff *skb, struct option_adds *a)
{
	struct option_places o = {};
	__u32 len, at;
	__u64 sum = 0;

	if (!skb || !a)
		return -1;
	at = a->options_at;
	len = a->len;
	if (len < 1 || len > OPTIONS_MAX || at > 100)
		return -1;
	o.len = len;
	if (bpf_skb_load_bytes(skb, at, o.bytes, len))
		return -1;
	bpf_loop(OPTIONS_MAX, walk_step, &o, 0);
	if (o.ts && (add_at(skb, at + o.ts, a->ts, o.ts & 1, &sum) ||
		     add_at(skb, at + o.ts + 4, a->tsecr, o.ts & 1, &sum)))
		return -1;
	for (__u32 i = 0; i < 8; i++) {
		if (!o.sack || i * 4 + 4 > o.sack_len)
			break;
		if (add_at(skb, at + o.sack + i * 4, a->ack, o.sack & 1, &sum))
			return -1;
	}
	a->sum = sum;
	return 0;
}

static __always_inline void add_to(__u32 *field, __u32 add, __u64 *sum)
{
	__u32 to = bpf_htonl(bpf_ntohl(*field) + add);

	change(sum, *field, to);
	*field = to;
}

/* The usual layouts: NOP NOP timestamps, then nothing or NOP NOP SACK. False: another one. */
static __always_inline bool usual_options(const struct headers *h, const struct relay_leg *d,
					  __u32 len, __u64 *sum)
{
	__u8 *options = (void *)(h->tcp + 1);
	__u32 off = 0;

	if ((void *)options + 12 <= h->end && len >= 12 &&
	    *(__u32 *)options == bpf_htonl(0x0101080a)) {
		add_to((__u32 *)(options + 4), d->ts_add, sum);
		add_to((__u32 *)(options + 8), d->tsecr_add, sum);
		off = 12;
	}
	if (off >= len)
		return true;
	options += off;
	/* With a changed timestamp the general walk would change it again, so the rest is all or nothing
	 * before anything is written: see the caller. */
	if ((void *)options + 4 > h->end ||
	    (*(__u32 *)options & bpf_htonl(0xffffff00)) != bpf_htonl(0x01010500))
		return false;
#pragma unroll
	for (__u32 i = 0; i < 8; i++) {
		__u32 *edge = (__u32 *)(options + 4) + i;

		if (off + 4 + i * 4 >= len || (void *)(edge + 1) > h->end)
			break;
		add_to(edge, d->ack_add, sum);
	}
	return true;
}

/* Whether usual_options() knows the layout. */
static __always_inline bool options_are_usual(const struct headers *h, __u32 len)
{
	__u8 *options = (void *)(h->tcp + 1);
	__u32 off = 0;

	if ((void *)options + 12 <= h->end && len >= 12 &&
	    *(__u32 *)options == bpf_htonl(0x0101080a))
		off = 12;
	if (off >= len)
		return true;
	options += off;
	if ((void *)options + 4 > h->end ||
	    (*(__u32 *)options & bpf_htonl(0xffffff00)) != bpf_htonl(0x01010500))
		return false;
	return options[3] + 2u + off == len;
}

/* ---- forwarding ---- */

static __always_inline void new_addresses(struct headers *h, const struct relay_leg *d, bool v6,
					  __u64 *sum)
{
	if (v6) {
#pragma unroll
		for (int i = 0; i < 4; i++) {
			change(sum, h->ip6->saddr[i], d->src[i]);
			change(sum, h->ip6->daddr[i], d->dst[i]);
			h->ip6->saddr[i] = d->src[i];
			h->ip6->daddr[i] = d->dst[i];
		}
		h->ip6->hop_limit--;
		return;
	}
	change(sum, h->ip4->saddr, d->src[0]);
	change(sum, h->ip4->daddr, d->dst[0]);
	h->ip4->saddr = d->src[0];
	h->ip4->daddr = d->dst[0];
	h->ip4->ttl--;
	h->ip4->check = 0;
	{
		__u16 *word = (void *)h->ip4;
		__u64 all = 0;

#pragma unroll
		for (int i = 0; i < 10; i++)
			all += word[i];
		h->ip4->check = ~fold16(all);
	}
}

static __always_inline int forward(struct __sk_buff *skb, struct headers *h, struct relay_pair *p,
				   struct relay_leg *d, struct relay_leg *other, __u32 slot,
				   __u32 leg, bool v6)
{
	__u64 addresses = 0, rest = 0;
	struct tcphdr *t = h->tcp;
	__u32 len = t->doff * 4 - sizeof(struct tcphdr), seq, end, ack, window, *words;
	bool credible;

	if ((v6 ? h->ip6->hop_limit : h->ip4->ttl) <= 1)
		return DROP;
	if (t->doff < 5)
		return DROP;
	if ((void *)(t + 1) + len > h->end) {
		if (bpf_skb_pull_data(skb, tcp_at(v6) + t->doff * 4) || !point(skb, h, v6))
			return DROP;
		t = h->tcp;
	}
	seq = bpf_ntohl(t->seq);
	ack = bpf_ntohl(t->ack_seq);
	end = seq + h->payload + t->fin;
	credible = is_credible(d, other, seq, end, t->ack, ack);
	if (credible && !t->rst)
		saw(d, end, t->ack, ack);
	if (credible && t->ack)
		count_ack(d, ack);
	if ((p->flags & (RELAY_FIN0 | RELAY_FIN1)) || t->fin || t->rst)
		note_flags(p, d, other, slot, leg, t, seq, h->payload, ack, credible);

	if (len && !options_are_usual(h, len)) {
		struct option_adds a = {.options_at = tcp_at(v6) + sizeof(struct tcphdr),
					.len = len,
					.ts = d->ts_add,
					.tsecr = d->tsecr_add,
					.ack = d->ack_add};

		if (general_options(skb, &a) || !point(skb, h, v6))
			return DROP;
		rest = a.sum;
	} else if (len) {
		usual_options(h, d, len, &rest);
	}
	t = h->tcp;
	words = (void *)t;
	add_to(&words[1], d->seq_add, &rest);
	if (t->ack)
		add_to(&words[2], d->ack_add, &rest);
	window = (__u32)bpf_ntohs(t->window) << (d->window_from & 15) >> (d->window_to & 15);
	if (window > 65535)
		window = 65535;
	/* As the other peer will work it out from what it is told. */
	if (credible && t->ack && (__s32)(ack - d->seen_ack) >= 0)
		raise(&other->limit, ack + d->ack_add + (window << (d->window_to & 15)));
	{
		__u32 from = words[3];

		*(volatile __u16 *)&t->window = bpf_htons(window);
		change(&rest, from, *(volatile __u32 *)&words[3]);
	}
	change(&rest, words[0], d->ports);
	words[0] = d->ports;
	new_addresses(h, d, v6, &addresses);

	d->packets++;
	d->last_ns = bpf_ktime_get_coarse_ns();
	/* Addresses are in the pseudo header, all of it in the packet: right for sums that are whole, left to
	 * the device (CHECKSUM_PARTIAL), and of packets that are still to be cut. */
	bpf_l4_csum_replace(skb, tcp_at(v6) + 16, 0, fold32(addresses), BPF_F_PSEUDO_HDR);
	bpf_l4_csum_replace(skb, tcp_at(v6) + 16, 0, fold32(rest), 0);
	return bpf_redirect_neigh(d->ifindex, NULL, 0, 0);
}

static __always_inline int arrived(struct __sk_buff *skb, bool v6)
{
	struct relay_leg *d, *other;
	struct relay_tuple k;
	struct relay_pair *p;
	struct headers h;
	__u32 slot, leg;
	int kind = parse(skb, &h, v6);
	__u64 word;

	if (kind < 0)
		return PASS;
	p = find(&h, v6, false, &k, &slot, &leg);
	if (!p)
		return PASS;
	if (kind) {
		__sync_fetch_and_or(&p->flags, RELAY_FRAGMENT);
		return PASS;
	}
	d = leg ? &p->leg[1] : &p->leg[0];
	other = leg ? &p->leg[0] : &p->leg[1];
	word = *(volatile __u64 *)&p->word;
	switch (RELAY_STATE(word)) {
	case RELAY_OBSERVED:
		if (!observe(p, d, &h, word))
			return PASS;
		break;
	case RELAY_JOINED:
		/* Our socket answers a SYN-ACK whose acknowledgement was lost. */
		if (h.tcp->syn && h.tcp->ack) {
			d->answer_syn = 1;
			return PASS;
		}
		break;
	case RELAY_ENDED:
		if (h.tcp->syn) {
			bpf_map_delete_elem(&tuples, &k);
			return PASS;
		}
		break;
	default:
		return PASS;
	}
	return forward(skb, &h, p, d, other, slot, leg, v6);
}

/* ---- path MTU ---- */

/* The beginning of an ICMP error that says "too big": with the headers of what was too big. */
struct too_big4 {
	struct iphdr outer;
	__u8 type, code;
	__u16 check;
	__u32 mtu;
	struct iphdr inner;
	__u32 ports, seq;
};

struct too_big6 {
	struct ipv6_header outer;
	__u8 type, code;
	__u16 check;
	__u32 mtu;
	struct ipv6_header inner;
	__u32 ports, seq;
};

#define ICMP_AT(v6) \
	(sizeof(struct ethhdr) + (v6 ? sizeof(struct ipv6_header) : sizeof(struct iphdr)))

/* The leg that the packet had gone out on, of a joined pair; fills in the other one's tuple. */
static __always_inline struct relay_leg *leg_of(const struct relay_tuple *k,
						struct relay_leg **from, struct relay_tuple *origin)
{
	__u32 *value = bpf_map_lookup_elem(&tuples, k), slot;
	struct relay_pair *p;

	if (!value)
		return NULL;
	slot = *value >> 1;
	p = bpf_map_lookup_elem(&pairs, &slot);
	if (!p || RELAY_STATE(*(volatile __u64 *)&p->word) != RELAY_JOINED)
		return NULL;
	*origin = *value & 1 ? p->tuple[0] : p->tuple[1];
	*from = *value & 1 ? &p->leg[0] : &p->leg[1];
	return *value & 1 ? &p->leg[1] : &p->leg[0];
}

static __always_inline __u16 ip4_sum(const struct iphdr *ip)
{
	const __u16 *word = (const void *)ip;
	__u64 all = 0;

#pragma unroll
	for (int i = 0; i < 10; i++)
		all += word[i];
	return ~fold16(all);
}

static __always_inline void replace(__u32 *field, __u32 to, __u64 *sum)
{
	change(sum, *field, to);
	*field = to;
}

/*
 * A router had no room for a packet that one peer has sent and this program has translated. The peer has to
 * know, in its own numbers (RFC 1191, RFC 8201): our silent socket can do nothing with the message.
 */
static __always_inline int too_big4(struct __sk_buff *skb)
{
	struct relay_leg *d, *from;
	struct relay_tuple k = {}, origin;
	struct too_big4 *m;
	__u64 sum = 0;
	__u32 *check;
	void *data;

	if (skb->len < sizeof(struct ethhdr) + sizeof(*m))
		return PASS;
	data = (void *)(long)skb->data;
	if (data + sizeof(struct ethhdr) + sizeof(*m) > (void *)(long)skb->data_end) {
		if (bpf_skb_pull_data(skb, sizeof(struct ethhdr) + sizeof(*m)))
			return PASS;
		data = (void *)(long)skb->data;
		if (data + sizeof(struct ethhdr) + sizeof(*m) > (void *)(long)skb->data_end)
			return PASS;
	}
	m = data + sizeof(struct ethhdr);
	if (*(__u8 *)&m->outer != 0x45 || m->outer.protocol != IPPROTO_ICMP || m->type != 3 ||
	    m->code != 4 || *(__u8 *)&m->inner != 0x45 || m->inner.protocol != IPPROTO_TCP)
		return PASS;
	k.peer[0] = m->inner.daddr;
	k.local[0] = m->inner.saddr;
	k.local_port = m->ports & 0xffff;
	k.peer_port = m->ports >> 16;
	d = leg_of(&k, &from, &origin);
	if (!d)
		return PASS;
	replace(&m->inner.saddr, origin.peer[0], &sum);
	replace(&m->inner.daddr, origin.local[0], &sum);
	replace(&m->ports, origin.peer_port | (__u32)origin.local_port << 16, &sum);
	replace(&m->seq, bpf_htonl(bpf_ntohl(m->seq) - from->seq_add), &sum);
	/* The header's own sum is among what the message's covers; ttl and protocol share its word. */
	check = (__u32 *)((void *)&m->inner + 8);
	{
		__u32 was = *(volatile __u32 *)check;

		*(volatile __u16 *)&m->inner.check = 0;
		*(volatile __u16 *)&m->inner.check = ip4_sum(&m->inner);
		change(&sum, was, *(volatile __u32 *)check);
	}
	m->outer.saddr = origin.local[0];
	m->outer.daddr = origin.peer[0];
	m->outer.check = 0;
	m->outer.check = ip4_sum(&m->outer);
	bpf_l4_csum_replace(skb, ICMP_AT(false) + 2, 0, fold32(sum), 0);
	return bpf_redirect_neigh(d->ifindex, NULL, 0, 0);
}

static __always_inline int too_big6(struct __sk_buff *skb)
{
	struct relay_leg *d, *from;
	struct relay_tuple k = {}, origin;
	__u64 sum = 0, pseudo = 0;
	struct too_big6 *m;
	void *data;

	if (skb->len < sizeof(struct ethhdr) + sizeof(*m))
		return PASS;
	data = (void *)(long)skb->data;
	if (data + sizeof(struct ethhdr) + sizeof(*m) > (void *)(long)skb->data_end) {
		if (bpf_skb_pull_data(skb, sizeof(struct ethhdr) + sizeof(*m)))
			return PASS;
		data = (void *)(long)skb->data;
		if (data + sizeof(struct ethhdr) + sizeof(*m) > (void *)(long)skb->data_end)
			return PASS;
	}
	m = data + sizeof(struct ethhdr);
	if (m->outer.nexthdr != ICMPV6 || m->type != 2 || m->inner.nexthdr != IPPROTO_TCP)
		return PASS;
	copy_address(k.peer, m->inner.daddr);
	copy_address(k.local, m->inner.saddr);
	k.local_port = m->ports & 0xffff;
	k.peer_port = m->ports >> 16;
	d = leg_of(&k, &from, &origin);
	if (!d)
		return PASS;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		replace(&m->inner.saddr[i], origin.peer[i], &sum);
		replace(&m->inner.daddr[i], origin.local[i], &sum);
		replace(&m->outer.saddr[i], origin.local[i], &pseudo);
		replace(&m->outer.daddr[i], origin.peer[i], &pseudo);
	}
	replace(&m->ports, origin.peer_port | (__u32)origin.local_port << 16, &sum);
	replace(&m->seq, bpf_htonl(bpf_ntohl(m->seq) - from->seq_add), &sum);
	bpf_l4_csum_replace(skb, ICMP_AT(true) + 2, 0, fold32(pseudo), BPF_F_PSEUDO_HDR);
	bpf_l4_csum_replace(skb, ICMP_AT(true) + 2, 0, fold32(sum), 0);
	return bpf_redirect_neigh(d->ifindex, NULL, 0, 0);
}

/* The protocol of a packet, without pulling: 0 where it cannot be seen. */
static __always_inline __u8 protocol_of(struct __sk_buff *skb, bool v6)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	const struct ipv6_header *ip6 = data + sizeof(struct ethhdr);
	const struct iphdr *ip4 = data + sizeof(struct ethhdr);

	if (v6)
		return (void *)(ip6 + 1) <= end ? ip6->nexthdr : 0;
	return (void *)(ip4 + 1) <= end ? ip4->protocol : 0;
}

SEC("tc")
int ingress(struct __sk_buff *skb)
{
	if (skb->pkt_type != 0 /* PACKET_HOST */ || skb->vlan_present)
		return PASS;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return protocol_of(skb, false) == IPPROTO_ICMP ? too_big4(skb)
							       : arrived(skb, false);
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return protocol_of(skb, true) == ICMPV6 ? too_big6(skb) : arrived(skb, true);
	return PASS;
}

/* ---- what our silent sockets may still say ---- */

static __always_inline bool may_leave(struct relay_leg *d, const struct headers *h, __u64 state)
{
	__u32 seq = bpf_ntohl(h->tcp->seq);

	if (h->tcp->rst || h->tcp->fin || state != RELAY_JOINED)
		return false;
	/* The segment that was under way at the hand-over: the old socket alone can repeat it. */
	if (h->payload > 0)
		return !d->old_acked && (__s32)(seq + h->payload - d->handed_snd) <= 0;
	/* A probe, which every living peer answers. */
	if (seq == d->handed_una - 1 || seq == d->handed_snd - 1)
		return true;
	if (d->answer_syn) {
		d->answer_syn = 0;
		return true;
	}
	return false;
}

static __always_inline int leaving(struct __sk_buff *skb, bool v6)
{
	struct relay_tuple k;
	struct relay_pair *p;
	struct relay_leg *d;
	struct headers h;
	__u32 slot, leg;
	__u64 state;
	__u8 *options;

	if (parse(skb, &h, v6))
		return PASS;
	p = find(&h, v6, true, &k, &slot, &leg);
	if (!p)
		return PASS;
	d = leg ? &p->leg[1] : &p->leg[0];
	state = RELAY_STATE(*(volatile __u64 *)&p->word);
	if (state != RELAY_JOINED && state != RELAY_ENDED)
		return PASS;
	if (h.tcp->syn && !h.tcp->ack) {
		/* The port was given to a new connection: the old one is over, or it would hold it. */
		if (state == RELAY_ENDED) {
			bpf_map_delete_elem(&tuples, &k);
			return PASS;
		}
		return DROP;
	}
	if (!may_leave(d, &h, state)) {
		__sync_fetch_and_add(&d->dropped, 1);
		return DROP;
	}
	__sync_fetch_and_add(&d->passed, 1);
	options = (void *)(h.tcp + 1);
	if ((void *)options + 12 <= h.end && *(__u32 *)options == bpf_htonl(0x0101080a)) {
		__u64 sum = 0;

		add_to((__u32 *)(options + 4), d->ts_margin, &sum);
		bpf_l4_csum_replace(skb, tcp_at(v6) + 16, 0, fold32(sum), 0);
	}
	return PASS;
}

SEC("tc")
int egress(struct __sk_buff *skb)
{
	/* Forwarded packets, ours of this program among them, came in by an interface. skb->sk does not
	 * say it: across a veth it stays the sender's. */
	if (skb->ingress_ifindex || !skb->sk || skb->vlan_present)
		return PASS;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return leaving(skb, false);
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return leaving(skb, true);
	return PASS;
}

/* ---- the hand-over ---- */

struct socket_view {
	__u32 write_seq, snd_nxt, snd_una, rcv_nxt, rcv_wup, rcv_wnd, copied_seq;
	__u32 ts_offset, ts_recent, mss, advmss, ifindex, packets_out;
	__u8 window_send, window_receive, timestamps, sack, ecn, why;
};

/* What is wrong with a socket by itself: enum relay_flip, or 0. */
static __always_inline __u8 unfit(const struct sock *sk, const struct tcp_sock *tp)
{
	if (sk->__sk_common.skc_state != BPF_TCP_ESTABLISHED || sk->sk_err)
		return RELAY_FLIP_STATE;
	if (sk->sk_backlog.len)
		return RELAY_FLIP_BETWEEN;
	if (tp->out_of_order_queue.rb_node || tp->lost_out || tp->retrans_out || tp->sacked_out)
		return RELAY_FLIP_LOSS;
	if (tp->urg_data)
		return RELAY_FLIP_URGENT;
	if (bpf_core_field_exists(tp->tcp_usec_ts) && BPF_CORE_READ_BITFIELD(tp, tcp_usec_ts))
		return RELAY_FLIP_CLOCK;
	if (bpf_core_field_exists(tp->is_mptcp) && tp->is_mptcp)
		return RELAY_FLIP_MPTCP;
	if (bpf_core_field_exists(tp->md5sig_info) && tp->md5sig_info)
		return RELAY_FLIP_SIGNED;
	if (bpf_core_field_exists(tp->ao_info) && tp->ao_info)
		return RELAY_FLIP_SIGNED;
	return 0;
}

__noinline int look(struct __sk_buff *skb, struct relay_tuple *k, struct socket_view *v, int v6)
{
	struct bpf_sock_tuple t = {};
	struct sock_common *skc;
	struct dst_entry *dst;
	struct tcp_sock *tp;
	struct sock *sk;
	int rc = -1;

	if (!skb || !k || !v)
		return -1;
	if (v6) {
		__builtin_memcpy(t.ipv6.saddr, k->peer, 16);
		__builtin_memcpy(t.ipv6.daddr, k->local, 16);
		t.ipv6.sport = k->peer_port;
		t.ipv6.dport = k->local_port;
		skc = (void *)bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
	} else {
		t.ipv4.saddr = k->peer[0];
		t.ipv4.daddr = k->local[0];
		t.ipv4.sport = k->peer_port;
		t.ipv4.dport = k->local_port;
		skc = (void *)bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	if (!skc)
		return -1;
	tp = bpf_skc_to_tcp_sock(skc);
	if (tp) {
		sk = (void *)tp;
		v->snd_una = tp->snd_una;
		v->snd_nxt = tp->snd_nxt;
		v->write_seq = tp->write_seq;
		v->rcv_nxt = tp->rcv_nxt;
		v->rcv_wup = tp->rcv_wup;
		v->rcv_wnd = tp->rcv_wnd;
		v->copied_seq = tp->copied_seq;
		v->ts_offset = tp->tsoffset;
		v->ts_recent = tp->rx_opt.ts_recent;
		v->mss = tp->mss_cache;
		v->advmss = tp->advmss;
		v->packets_out = tp->packets_out;
		v->window_send = BPF_CORE_READ_BITFIELD(tp, rx_opt.snd_wscale);
		v->window_receive = BPF_CORE_READ_BITFIELD(tp, rx_opt.rcv_wscale);
		v->timestamps = BPF_CORE_READ_BITFIELD(tp, rx_opt.tstamp_ok);
		v->sack = BPF_CORE_READ_BITFIELD(tp, rx_opt.sack_ok) & 1;
		v->ecn = tp->ecn_flags;
		v->why = unfit(sk, tp);
		dst = sk->sk_dst_cache;
		v->ifindex = dst ? dst->dev->ifindex : 0;
		rc = 0;
	}
	bpf_sk_release((void *)skc);
	return rc;
}

/* Whether the next hop is known, and MTU and way are as they were for the socket. */
__noinline int reach(struct __sk_buff *skb, struct relay_leg *d, int v6)
{
	struct bpf_fib_lookup f = {};

	if (!skb || !d)
		return RELAY_FLIP_ROUTE;
	if (!d->ifindex)
		return RELAY_FLIP_ROUTE;
	f.ifindex = d->ifindex;
	if (v6) {
		f.family = AF_INET6;
		__builtin_memcpy(f.ipv6_src, d->src, 16);
		__builtin_memcpy(f.ipv6_dst, d->dst, 16);
	} else {
		f.family = 2;
		f.ipv4_src = d->src[0];
		f.ipv4_dst = d->dst[0];
	}
	switch (bpf_fib_lookup(skb, &f, sizeof(f), BPF_FIB_LOOKUP_OUTPUT)) {
	case BPF_FIB_LKUP_RET_SUCCESS:
		break;
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		return RELAY_FLIP_NEIGHBOUR;
	default:
		return RELAY_FLIP_ROUTE;
	}
	d->ifindex = f.ifindex;
	return 0;
}

#define ECN_OK	  0x01 /* TCP_ECN_MODE_RFC3168 */
#define ECN_OTHER 0x10 /* TCP_ECN_MODE_ACCECN */

static __always_inline int pending(const struct socket_view *v, const struct relay_leg *d)
{
	if (v->why)
		return v->why;
	if (v->copied_seq != v->rcv_nxt)
		return RELAY_FLIP_UNREAD;
	if (v->write_seq != v->snd_nxt)
		return RELAY_FLIP_UNSENT;
	if (v->packets_out > 1)
		return RELAY_FLIP_UNACKNOWLEDGED;
	if (!d->seen)
		return RELAY_FLIP_UNSEEN;
	if (d->seen_end != v->rcv_nxt || d->seen_ack != v->snd_una)
		return RELAY_FLIP_BETWEEN;
	return 0;
}

static __always_inline int unlike(const struct socket_view *c, const struct socket_view *t)
{
	__s32 room = c->timestamps ? 12 : 0;

	if (c->timestamps != t->timestamps)
		return RELAY_FLIP_TIMESTAMPS;
	if (c->sack != t->sack)
		return RELAY_FLIP_SACK;
	if ((c->ecn & ECN_OK) != (t->ecn & ECN_OK) || ((c->ecn | t->ecn) & ECN_OTHER))
		return RELAY_FLIP_ECN;
	if ((__s32)c->advmss - room > (__s32)t->mss || (__s32)t->advmss - room > (__s32)c->mss)
		return RELAY_FLIP_MSS;
	return 0;
}

static __always_inline void way(struct relay_leg *d, const struct relay_tuple *out,
				const struct socket_view *from, const struct socket_view *to)
{
	copy_address(d->src, out->local);
	copy_address(d->dst, out->peer);
	d->ports = out->local_port | (__u32)out->peer_port << 16;
	d->ifindex = to->ifindex;
	d->seq_add = to->write_seq - from->rcv_nxt;
	d->ack_add = to->rcv_nxt - from->write_seq;
	d->window_from = from->window_send;
	d->window_to = to->window_receive;
	d->handed_snd = from->write_seq;
	d->handed_una = from->snd_una;
	d->old_acked = from->snd_una == from->write_seq;
	d->limit = from->rcv_wup + from->rcv_wnd;
	d->ts_margin = TS_MARGIN_MS;
	d->acked = d->folded = 0;
	d->last_ns = bpf_ktime_get_coarse_ns();
}

static __always_inline void remember(struct relay_pair *p, int leg, const struct socket_view *v)
{
	p->mss[leg] = v->advmss;
	p->window_send[leg] = v->window_send;
	p->window_receive[leg] = v->window_receive;
	p->timestamps = v->timestamps;
	p->sack = v->sack;
}

/* Joins the pair of the slot that the packet names, or says why not (enum relay_flip). */
SEC("tc")
int flip(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	struct socket_view c = {}, t = {};
	__u32 slot, ms, to_target, to_client;
	struct relay_request *request = data + sizeof(struct ethhdr);
	struct relay_pair *p;
	__u64 word;
	int rc, v6;

	if ((void *)(request + 1) > data_end)
		return RELAY_FLIP_SLOT;
	slot = request->slot;
	p = bpf_map_lookup_elem(&pairs, &slot);
	if (!p)
		return RELAY_FLIP_SLOT;
	word = *(volatile __u64 *)&p->word;
	if (RELAY_STATE(word) != RELAY_OBSERVED)
		return RELAY_FLIP_SLOT;
	v6 = !!(p->flags & RELAY_IPV6);
	if (look(skb, &p->tuple[0], &c, v6) || look(skb, &p->tuple[1], &t, v6))
		return RELAY_FLIP_STATE;
	rc = pending(&c, &p->leg[0]);
	if (!rc)
		rc = pending(&t, &p->leg[1]);
	if (!rc)
		rc = unlike(&c, &t);
	if (rc)
		return rc;
	/* What is forwarded to this host's own loopback has a local source, which the kernel takes for a
	 * forgery (fib_validate_source()). */
	if (c.ifindex == lo_ifindex || t.ifindex == lo_ifindex)
		return RELAY_FLIP_ROUTE;
	/* An acknowledgement that we owe would never be sent. Where a segment is under way on the other leg,
	 * the answer to it brings one. */
	if ((c.rcv_wup != c.rcv_nxt && t.snd_una == t.write_seq) ||
	    (t.rcv_wup != t.rcv_nxt && c.snd_una == c.write_seq))
		return RELAY_FLIP_ACK_OWED;

	way(&p->leg[0], &p->tuple[1], &c, &t);
	way(&p->leg[1], &p->tuple[0], &t, &c);
	ms = bpf_ktime_get_ns() / 1000000;
	to_target = ms + t.ts_offset + TS_MARGIN_MS;
	to_client = ms + c.ts_offset + TS_MARGIN_MS;
	p->leg[0].ts_add = to_target - c.ts_recent;
	p->leg[0].tsecr_add = t.ts_recent - to_client;
	p->leg[1].ts_add = to_client - t.ts_recent;
	p->leg[1].tsecr_add = c.ts_recent - to_target;
	remember(p, 0, &c);
	remember(p, 1, &t);
	rc = reach(skb, &p->leg[0], v6);
	if (!rc)
		rc = reach(skb, &p->leg[1], v6);
	if (rc)
		return rc;
	if (__sync_val_compare_and_swap(&p->word, word, (word & ~0xffull) | RELAY_JOINED) != word)
		return RELAY_FLIP_RACE;
	return RELAY_FLIP_DONE;
}

/* ---- accounting ---- */

/* Bytes that the peer of @leg has acknowledged since the hand-over, without the other's FIN. */
static __always_inline __u64 delivered(const struct relay_pair *p, const struct relay_leg *d,
				       int leg)
{
	__u64 n = *(volatile __u64 *)&d->acked;

	return n - !!(n && (p->flags & (leg ? RELAY_FIN_ACKED0 : RELAY_FIN_ACKED1)));
}

/* Of @n acknowledged bytes, those that the socket had not under way at the hand-over: it has counted these as
 * received. */
static __always_inline __u64 relayed(const struct relay_leg *d, __u64 n)
{
	__u32 old = d->handed_snd - d->handed_una;

	return n > old ? n - old : 0;
}

/* Adds to two counters what was acknowledged, and what of it was received, since the last time. */
static __always_inline void take(struct relay_pair *p, struct relay_leg *d, int leg, __u64 *bytes,
				 __u64 *received)
{
#pragma unroll
	for (int i = 0; i < 4; i++) {
		__u64 had = *(volatile __u64 *)&d->folded, now = delivered(p, d, leg);

		if (now == had)
			return;
		if (__sync_val_compare_and_swap(&d->folded, had, now) != had)
			continue;
		/* Less by one when a FIN turned out to be among what was counted. */
		__sync_fetch_and_add(bytes, now - had);
		__sync_fetch_and_add(received, relayed(d, now) - relayed(d, had));
		return;
	}
}

static long fold_one(__u32 i, void *ctx)
{
	__u32 slot = *(__u32 *)ctx + i;
	struct account_target *t;
	struct relay_pair *p;
	__u64 record, state;

	p = bpf_map_lookup_elem(&pairs, &slot);
	if (!p)
		return 1;
	state = RELAY_STATE(*(volatile __u64 *)&p->word);
	if (state != RELAY_JOINED && state != RELAY_ENDED)
		return 0;
	record = p->record;
	t = bpf_map_lookup_elem(&targets, &record);
	if (!t)
		return 0;
	take(p, &p->leg[1], 1, &t->bytes_in, &t->received_in);
	take(p, &p->leg[0], 0, &t->bytes_out, &t->received_out);
	return 0;
}

/* Adds what was acknowledged since the last time to the targets' records, of a range of slots. */
SEC("tc")
int fold(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	struct relay_request *request = data + sizeof(struct ethhdr);
	__u32 from, to;

	if ((void *)(request + 1) > data_end)
		return 1;
	from = request->slot;
	to = request->end;
	if (to > RELAY_PAIRS)
		to = RELAY_PAIRS;
	if (from < to)
		bpf_loop(to - from, fold_one, &from, 0);
	return 0;
}

/* Of a silent socket: nothing but a SYN comes in, whatever way it takes. An interface that the programs
 * are not attached to yet would otherwise bring it bytes, which it would acknowledge. */
SEC("socket")
int hush(struct __sk_buff *skb)
{
	__u8 flags;

	/* sk_filter() shows a segment from its TCP header on. */
	if (bpf_skb_load_bytes(skb, 13, &flags, sizeof(flags)))
		return 0;
	return flags & 0x02 ? skb->len : 0;
}
