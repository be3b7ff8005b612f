/* SPDX-License-Identifier: MIT */
/*
 * What user space reads the open sockets with: brings the records up to date, says which of them are
 * in use, shows the table. Part of account.bpf.c, after its maps; not in the basic build.
 */
#ifndef PORTUNUS_BPF_ITERATORS_H
#define PORTUNUS_BPF_ITERATORS_H

#include <bpf/bpf_endian.h>

/*
 * The socket that an iterator is to show, or NULL: one that has begun, is not closed and is followed.
 * Closed by its state too: it was counted for the last time, but a tag that user space sets in that
 * same moment would hide that. Not followed is what was tagged after it had begun.
 */
static __always_inline struct tcp_sock *open_socket(struct sock *sk, const struct account_socket *s)
{
	struct tcp_sock *tp;

	if (!sk || !s || !s->born_ns || (s->flags & ACCOUNT_F_CLOSED) ||
	    sk->__sk_common.skc_state == BPF_TCP_CLOSE)
		return NULL;
	tp = bpf_skc_to_tcp_sock(sk);
	return tp && (tp->bpf_sock_ops_cb_flags & BPF_SOCK_OPS_STATE_CB_FLAG) ? tp : NULL;
}

/* Reading it to the end makes the records exact for what is open. */
SEC("iter/bpf_sk_storage_map")
int refresh(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct account_socket *s = ctx->value;
	struct tcp_sock *tp = open_socket(ctx->sk, s);

#ifdef BREAK_LOAD
	((void (*)(void))100000)(); /* no kernel has that many helpers */
#endif
	if (tp)
		fold_all(tp, s);
	return 0;
}

/* Which slots are still in use, by listeners and unconnected sockets too. It reads nothing of the map
 * it walks, so that it can walk the sockets of another version of these maps. */
SEC("iter/bpf_sk_storage_map")
int tagged(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct account_tagged out = {};
	struct sock *sk = ctx->sk;
	struct account_socket *s;

	if (!sk)
		return 0;
	s = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (s) {
		out.born_ns = s->born_ns;
		if (s->unassigned) {
			out.slot = s->unassigned;
			bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
		}
		out.slot = s->slot;
	}
	bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
	return 0;
}

static __always_inline void print_address(struct seq_file *seq, const struct sock *sk, bool local)
{
	__u16 port = local ? sk->__sk_common.skc_num : bpf_ntohs(sk->__sk_common.skc_dport);
	const struct in6_addr *from = local ? &sk->__sk_common.skc_v6_rcv_saddr
					    : &sk->__sk_common.skc_v6_daddr;
	__be32 v4 = local ? sk->__sk_common.skc_rcv_saddr : sk->__sk_common.skc_daddr;
	__be32 v6[4];

	if (sk->__sk_common.skc_family == AF_INET6) {
		v6[0] = from->in6_u.u6_addr32[0];
		v6[1] = from->in6_u.u6_addr32[1];
		v6[2] = from->in6_u.u6_addr32[2];
		v6[3] = from->in6_u.u6_addr32[3];
		if (v6[0] || v6[1] || v6[2] != bpf_htonl(0xffff)) {
			BPF_SEQ_PRINTF(seq, " [%pI6]:%u", v6, port);
			return;
		}
		v4 = v6[3];
	}
	BPF_SEQ_PRINTF(seq, " %pI4:%u", &v4, port);
}

/* By number, as in enum tcp_state. */
static const char state_names[16][12] = {
	"-",	 "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
	"CLOSE", "CLOSE_WAIT",	"LAST_ACK", "LISTEN",	"CLOSING",   "NEW_SYN",
};
static const char side_names[4][12] = {"-", "pending", "client", "upstream"};

/* The live table: `cat` on its pin. The addresses come last, for they have no fixed width. */
SEC("iter/bpf_sk_storage_map")
int connections(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct account_socket *s = ctx->value;
	struct sock *sk = ctx->sk;
	struct account_target *t;
	struct tcp_sock *tp;
	__u64 age_ms;

	/* The call without a socket, at the end, has the number of the last one: 0 after just one. */
	if (ctx->meta->seq_num == 0 && (sk || seq->count == 0)) {
		BPF_SEQ_PRINTF(seq, "%-10s %-28s %-8s %-11s %14s %14s ", "RULE", "TARGET", "SIDE",
			       "STATE", "ACKED", "RECEIVED");
		BPF_SEQ_PRINTF(seq, "%9s %7s %9s LOCAL REMOTE\n", "SRTT_US", "RETRANS", "AGE_S");
	}
	tp = open_socket(sk, s);
	if (!tp)
		return 0;
	t = settled(tp, s) ? target_of(s) : NULL;
	age_ms = (bpf_ktime_get_ns() - s->born_ns) / 1000000;
	BPF_SEQ_PRINTF(seq, "%-10llu %-28s %-8s %-11s %14llu %14llu ", s->rule_id,
		       t ? t->name : "-",
		       side_names[t && s->side == ACCOUNT_PENDING ? ACCOUNT_CLIENT : s->side & 3],
		       state_names[sk->__sk_common.skc_state & 15], acked(tp, s), received(tp, s));
	BPF_SEQ_PRINTF(seq, "%9u %7u %5llu.%03llu", tp->srtt_us >> 3, tp->total_retrans,
		       age_ms / 1000, age_ms % 1000);
	print_address(seq, sk, true);
	print_address(seq, sk, false);
	BPF_SEQ_PRINTF(seq, "\n");
	return 0;
}

#endif
