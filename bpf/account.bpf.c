// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Counts, on the sockets of the edge, what each target and client has acknowledged.
 *
 * A sockops program follows the tagged sockets of one cgroup; iterators bring open connections up to
 * date and show them. Documentation/accounting.md explains the rules and the kernel behaviour each
 * one comes from. account_basic.bpf.c compiles this a second time, for kernels that have less.
 */
#include "bpf/kernel.h"
#include "bpf/account.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <stdbool.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* 0 where the kernel's configuration is not to be found: then SYNs are retried at the usual pace. */
extern int CONFIG_HZ __kconfig __weak;

/* Off where the kernel gives sockops programs no bpf_get_current_task(). */
const volatile bool take_hints = true;

#define FAST_SYN_MIN_MS 100
#define FAST_SYN_MAX_MS 1000

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct account_socket);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, ACCOUNT_TARGETS_MAX);
	__type(key, __u64);
	__type(value, struct account_target);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct account_meta);
} meta SEC(".maps");

/* Of this process only, so never pinned: its worker threads, by task, and their hints. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ACCOUNT_WORKERS_MAX);
	__type(key, __u64);
	__type(value, __u32);
} workers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ACCOUNT_WORKERS_MAX);
	__type(key, __u32);
	__type(value, struct account_hint);
} hints SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} events SEC(".maps");

#include "bpf/figures.h"

static __always_inline void tell(__u64 slot, __u32 kind, __u32 error)
{
	struct account_event e = {.slot = slot, .kind = kind, .error = error};

	bpf_ringbuf_output(&events, &e, sizeof(e), 0);
}

static __always_inline __u32 log2_of(__u64 v)
{
	__u32 r = 0;

	for (int i = 0; i < ACCOUNT_HIST_LEN - 1; i++) {
		v >>= 1;
		if (!v)
			break;
		r++;
	}
	return r;
}

static __always_inline void follow(struct bpf_sock_ops *ctx)
{
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_RTT_CB_FLAG |
					       BPF_SOCK_OPS_STATE_CB_FLAG);
}

static __always_inline void begin(struct bpf_sock_ops *ctx, struct account_socket *s, __u32 flags,
				  __u64 now_ns)
{
	s->tx_limit = ACCOUNT_NO_LIMIT;
	s->born_ns = now_ns;
	s->flags = flags;
	follow(ctx);
}

/* Remembers the thread that is in connect() now as the worker that the tag names. */
static __always_inline void meet_worker(const struct account_socket *s)
{
	__u32 number = s->flags >> ACCOUNT_WORKER_SHIFT, worker = number - 1;
	struct account_hint *hint;
	__u64 task;

	if (!take_hints || !number)
		return;
	task = bpf_get_current_task();
	hint = bpf_map_lookup_elem(&hints, &worker);
	if (hint && !bpf_map_update_elem(&workers, &task, &worker, BPF_ANY))
		hint->known = 1;
}

/* The tag of an untagged socket by the hint of the worker that is connecting it, or NULL. The kernel
 * calls this in the thread that is in connect(). */
static __always_inline struct account_socket *hinted(struct bpf_sock *sk)
{
	struct account_socket tag = {.side = ACCOUNT_UPSTREAM}, *s;
	__u64 task = bpf_get_current_task();
	struct account_target *t;
	struct account_hint *hint;
	__u32 *worker;

	worker = bpf_map_lookup_elem(&workers, &task);
	if (!worker)
		return NULL;
	hint = bpf_map_lookup_elem(&hints, worker);
	if (!hint || !hint->slot)
		return NULL;
	tag.slot = hint->slot;
	tag.flags = (hint->prelude & ACCOUNT_PRELUDE_MASK) << ACCOUNT_PRELUDE_SHIFT;
	t = target_of(&tag);
	if (!t)
		return NULL;
	tag.rule_id = t->rule_id;
	s = bpf_sk_storage_get(&sockets, sk, &tag, BPF_SK_STORAGE_GET_F_CREATE);
	if (s)
		hint->slot = 0;
	return s;
}

static __always_inline void on_connect(struct bpf_sock_ops *ctx, struct account_socket *s)
{
	struct account_target *t;

	if (s->side != ACCOUNT_UPSTREAM || (s->flags & ACCOUNT_F_ATTEMPTED))
		return;
	meet_worker(s);
	begin(ctx, s,
	      (s->flags & ACCOUNT_PRELUDE_MASK << ACCOUNT_PRELUDE_SHIFT) | ACCOUNT_F_ACTIVE_OPEN |
		      ACCOUNT_F_ATTEMPTED,
	      bpf_ktime_get_ns());
	t = target_of(s);
	if (t)
		add(&t->attempted, 1);
}

/*
 * One lost SYN costs what this answers: about twice the target's usual connect time. Of a target farther
 * than FAST_SYN_MAX_MS a quarter more than that time, or every handshake would have a needless SYN.
 */
static __always_inline void on_timeout_init(struct bpf_sock_ops *ctx,
					    const struct account_socket *s)
{
	struct account_target *t;
	__u64 ms, usual_ms;

	if (s->side != ACCOUNT_UPSTREAM || !CONFIG_HZ)
		return;
	t = target_of(s);
	usual_ms = t ? t->connect_us / 1000 : 0;
	ms = 2 * usual_ms;
	if (ms < FAST_SYN_MIN_MS)
		ms = FAST_SYN_MIN_MS;
	if (ms > FAST_SYN_MAX_MS)
		ms = FAST_SYN_MAX_MS;
	if (ms < usual_ms + usual_ms / 4)
		ms = usual_ms + usual_ms / 4;
	ctx->reply = (ms * CONFIG_HZ + 999) / 1000;
}

/*
 * Keeps the target's usual connect time. A repeated SYN leaves open which of the two was answered (Karn's
 * rule, RFC 6298, 3), unless the peer's timestamp says it: then the kernel has a round-trip time now. Where
 * even that lacks, @us is an upper bound. What is longer than usual counts at once, but no more than doubles
 * the time after which a SYN is repeated: so RFC 6298 (5.5, 5.7) keeps a timer that was backed off. By an
 * average, a target that became distant would go on being sent two SYNs; and if such a sample counted for
 * nothing, one that always was distant would never be learnt. Less than half of what is usual, by a handshake
 * whose SYN was not repeated, shows that this was such a bound, of lost SYNs: it counts at once as well.
 */
static __always_inline void learn_connect_time(struct account_target *t, const struct tcp_sock *tp,
					       __u64 us, bool repeated)
{
	__u64 usual = t->connect_us, by_timestamp = tp->srtt_us >> 3, most = 2 * usual;

	if (repeated) {
		if (by_timestamp)
			us = by_timestamp;
		if (most < FAST_SYN_MIN_MS * 1000)
			most = FAST_SYN_MIN_MS * 1000;
		if (us > usual) {
			t->connect_us = usual && us > most ? most : us;
			return;
		}
		if (!by_timestamp)
			return;
	}
	t->connect_us = usual <= 2 * us && usual ? usual - usual / 8 + us / 8 : us;
}

static __always_inline void on_active_established(struct bpf_sock_ops *ctx,
						  const struct tcp_sock *tp,
						  struct account_socket *s)
{
	struct account_target *t;
	__u64 us;

	/* One that was tagged after its connect is not followed, so not counted. */
	if ((s->flags & (ACCOUNT_F_ATTEMPTED | ACCOUNT_F_ESTABLISHED)) != ACCOUNT_F_ATTEMPTED)
		return;
	s->flags |= ACCOUNT_F_ESTABLISHED;
	t = target_of(s);
	if (!t)
		return;
	/* The kernel has just taken the time of the packet (tcp_rcv_state_process); reading the clock again
	 * is dear in a virtual machine. Of one clock and both rounded down, so never negative. */
	us = tp->tcp_mstamp - s->born_ns / 1000;
	add(&t->ok, 1);
	add(&t->active, 1);
	add(&t->connect_us_sum, us);
	add(&t->connect_hist[log2_of(us)], 1);
	if (us > t->connect_us_max)
		t->connect_us_max = us;
	learn_connect_time(t, tp, us, ctx->total_retrans);
}

static __always_inline void on_passive_established(struct bpf_sock_ops *ctx,
						   const struct tcp_sock *tp,
						   struct account_socket *s)
{
	if (!(s->flags & ACCOUNT_F_ESTABLISHED))
		begin(ctx, s, ACCOUNT_F_ESTABLISHED, tp->tcp_mstamp * 1000);
}

static __always_inline void count_end(struct account_target *t, const struct account_socket *s,
				      __u32 error)
{
	bool established = s->flags & ACCOUNT_F_ESTABLISHED;

	if (error)
		t->last_errno = error;
	if (!established) {
		if (error) {
			add(&t->failed, 1);
			tell(s->slot, ACCOUNT_CONNECT_FAILED, error);
		} else {
			add(&t->aborted, 1);
		}
		return;
	}
	if (s->side == ACCOUNT_UPSTREAM)
		add(&t->active, -1ull);
	/* A RST that comes after the peer's FIN reads as EPIPE. */
	if (error == ECONNRESET || error == EPIPE) {
		add(&t->resets, 1);
		tell(s->slot, ACCOUNT_RESET, error);
	}
}

static __always_inline void on_close(const struct tcp_sock *tp, struct account_socket *s)
{
	const struct sock *sk = (const struct sock *)tp;
	bool up = s->side == ACCOUNT_UPSTREAM;
	struct account_target *t;
	__u64 slot = s->slot;

	if (s->flags & ACCOUNT_F_CLOSED)
		return;
	s->flags |= ACCOUNT_F_CLOSED;
	if (!settled(tp, s))
		slot = s->unassigned;
	t = bpf_map_lookup_elem(&targets, &slot);
	if (!t)
		return;
	fold_final(&s->tx, acked(tp, s), up ? &t->bytes_in : &t->bytes_out);
	fold_final(&s->rx, received(tp, s), up ? &t->received_out : &t->received_in);
	fold_final(&s->retransmits, tp->total_retrans, &t->retransmits);
	count_end(t, s, sk->sk_err);
}

static __always_inline void on_state(struct bpf_sock_ops *ctx, const struct tcp_sock *tp,
				     struct account_socket *s)
{
	if (ctx->args[1] == BPF_TCP_CLOSE) {
		on_close(tp, s);
		return;
	}
#ifndef BREAK_FIN
	/*
	 * Our FIN is about to be queued behind what is unacknowledged now, and the kernel will count
	 * it as an acknowledged byte. The first time only: this is also called with old == new.
	 */
	if (!(s->flags & ACCOUNT_F_LIMITED)) {
		s->tx_limit = sent(tp, s) + (__u32)(tp->write_seq - tp->snd_una);
		s->flags |= ACCOUNT_F_LIMITED;
	}
#endif
}

/* Whether the program has something to do; most of its calls end here. */
static __always_inline bool concerns(const struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
	case BPF_SOCK_OPS_RTT_CB:
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
	case BPF_SOCK_OPS_TIMEOUT_INIT:
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		return true;
	case BPF_SOCK_OPS_STATE_CB:
		return ctx->args[1] == BPF_TCP_CLOSE || ctx->args[1] == BPF_TCP_FIN_WAIT1 ||
		       ctx->args[1] == BPF_TCP_LAST_ACK;
	}
	return false;
}

SEC("sockops")
int account(struct bpf_sock_ops *ctx)
{
	__u32 op = ctx->op;
	struct account_socket *s;
	struct tcp_sock *tp;
	struct bpf_sock *sk;

	if (!concerns(ctx))
		return 1;
	sk = ctx->sk;
	if (!sk)
		return 1;
	s = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (!s && take_hints && op == BPF_SOCK_OPS_TCP_CONNECT_CB)
		s = hinted(sk);
	if (!s)
		return 1;

	switch (op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		on_connect(ctx, s);
		return 1;
	case BPF_SOCK_OPS_TIMEOUT_INIT:
		on_timeout_init(ctx, s);
		return 1;
	}

	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 1;
	switch (op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		on_active_established(ctx, tp, s);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		on_passive_established(ctx, tp, s);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		on_state(ctx, tp, s);
		break;
	default:
		fold_all(tp, s);
	}
	return 1;
}

#ifndef ACCOUNT_BASIC
#include "bpf/iterators.h"
#endif
