/* SPDX-License-Identifier: MIT */
/*
 * The exactness rules: what a socket has delivered and received, and how that gets into a record.
 * Part of account.bpf.c, after its maps.
 */
#ifndef PORTUNUS_BPF_FIGURES_H
#define PORTUNUS_BPF_FIGURES_H

static __always_inline struct account_target *target_of(const struct account_socket *s)
{
	__u64 slot = s->slot;

	return bpf_map_lookup_elem(&targets, &slot);
}

static __always_inline void add(__u64 *counter, __u64 n)
{
	__sync_fetch_and_add(counter, n);
}

/*
 * Bytes of ours that the peer has acknowledged, a prelude included. bytes_acked is read before the
 * limit: if it counts the FIN, the limit was set before it.
 */
static __always_inline __u64 sent(const struct tcp_sock *tp, const struct account_socket *s)
{
	__u64 tx = *(volatile const __u64 *)&tp->bytes_acked;
	__u64 limit;

	barrier();
#ifndef BREAK_SYN
	if (tx && (s->flags & ACCOUNT_F_ACTIVE_OPEN))
		tx--;
#endif
	limit = *(volatile const __u64 *)&s->tx_limit;
	return tx < limit ? tx : limit;
}

/* The client's bytes among them: what precedes these is none of them. */
static __always_inline __u64 acked(const struct tcp_sock *tp, const struct account_socket *s)
{
	__u64 tx = sent(tp, s), prelude = s->flags >> ACCOUNT_PRELUDE_SHIFT & ACCOUNT_PRELUDE_MASK;

	return tx > prelude ? tx - prelude : 0;
}

/* Of the running kernel, or as it has been since Linux 2.6. */
static __always_inline __u64 sock_done_bit(void)
{
	if (bpf_core_enum_value_exists(enum sock_flags, SOCK_DONE))
		return bpf_core_enum_value(enum sock_flags, SOCK_DONE);
	return SOCK_DONE;
}

/* Payload bytes received: the peer's FIN takes a place in the sequence, but is none; nor is what a balancer
 * said before the client. */
static __always_inline __u64 received(const struct tcp_sock *tp, const struct account_socket *s)
{
	__u64 rx = *(volatile const __u64 *)&tp->bytes_received;
	const struct sock *sk = (const struct sock *)tp;

	barrier();
	if (rx && (sk->__sk_common.skc_flags & 1ul << sock_done_bit()))
		rx--;
	if (s->side == ACCOUNT_CLIENT) {
		__u64 header = s->flags >> ACCOUNT_HEADER_SHIFT & ACCOUNT_HEADER_MASK;

		rx = rx > header ? rx - header : 0;
	}
	return rx;
}

/*
 * How a figure of a socket changes: from @last, as it was read before, to @now, if nobody else was
 * faster; and for the last time, whatever it was.
 */
#ifdef ACCOUNT_BASIC
/*
 * Plain loads and stores, for nobody else can be there. Figures are changed by the sockops program
 * alone, since this build has no iterator, and the kernel calls that one with the socket locked:
 * tcp_call_bpf() (include/net/tcp.h) asserts it with sock_owned_by_me(). An add to a
 * record, which the sockets of all CPUs share, stays atomic.
 */
static __always_inline bool advance(__u64 *seen, __u64 last, __u64 now)
{
	*seen = now;
	return true;
}

static __always_inline __u64 finish(__u64 *seen, __u64 now)
{
	__u64 last = *seen;

	*seen = now;
	return last;
}
#else
/* A callback holds the socket's lock, an iterator does not. */
static __always_inline bool advance(__u64 *seen, __u64 last, __u64 now)
{
	return __sync_val_compare_and_swap(seen, last, now) == last;
}

static __always_inline __u64 finish(__u64 *seen, __u64 now)
{
	return __sync_lock_test_and_set(seen, now);
}
#endif

/*
 * Adds to @total what @now has over @seen and advances @seen. @last is @seen as it was read before
 * the figure: of two that fold at the same moment one wins, and the sum of all differences is always
 * the last value written. The difference may be negative, by a FIN that was counted too early.
 */
static __always_inline void fold(__u64 *seen, __u64 last, __u64 now, __u64 *total)
{
	if (now == last || (last & ACCOUNT_FINAL))
		return;
	if (advance(seen, last, now))
		add(total, now - last);
}

/* As fold(), for the last time. */
static __always_inline void fold_final(__u64 *seen, __u64 now, __u64 *total)
{
	__u64 last = finish(seen, now | ACCOUNT_FINAL);

	if (!(last & ACCOUNT_FINAL) && now != last)
		add(total, now - last);
}

/* Whether it is settled that the socket's figures belong to s->slot; see ACCOUNT_PENDING. */
static __always_inline bool settled(const struct tcp_sock *tp, const struct account_socket *s)
{
	__u32 first = tp->rcv_nxt - (__u32)tp->bytes_received;

	if (s->side != ACCOUNT_PENDING)
		return true;
	return s->slot && (tp->bytes_acked || tp->copied_seq != first);
}

static __always_inline __u64 look(const __u64 *p)
{
	return *(volatile const __u64 *)p;
}

/* Brings the record up to date for an open socket. Nothing while its target is not chosen. */
static __always_inline void fold_all(const struct tcp_sock *tp, struct account_socket *s)
{
	__u64 tx = look(&s->tx), rx = look(&s->rx), retrans = look(&s->retransmits);
	bool up = s->side == ACCOUNT_UPSTREAM;
	struct account_target *t;

	if (!settled(tp, s))
		return;
	barrier();
	t = target_of(s);
	if (!t)
		return;
	fold(&s->tx, tx, acked(tp, s), up ? &t->bytes_in : &t->bytes_out);
	fold(&s->rx, rx, received(tp, s), up ? &t->received_out : &t->received_in);
	fold(&s->retransmits, retrans, tp->total_retrans, &t->retransmits);
	if (up)
		t->srtt_us = tp->srtt_us >> 3;
}

#endif
