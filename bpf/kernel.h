/* SPDX-License-Identifier: MIT */
/*
 * The few members of kernel structures that the programs read. Their offsets here mean nothing: the
 * loader replaces them by those of the running kernel (CO-RE), found by name.
 */
#ifndef PORTUNUS_BPF_KERNEL_H
#define PORTUNUS_BPF_KERNEL_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags;
};

struct sock {
	struct sock_common __sk_common;
	int sk_err;
};

struct tcp_sock {
	__u32 rcv_nxt;
	__u32 copied_seq; /* what the process has read */
	__u32 snd_una;
	__u32 write_seq;
	__u32 srtt_us; /* eight times the smoothed RTT */
	__u32 total_retrans;
	__u8 bpf_sock_ops_cb_flags;
	__u64 tcp_mstamp;     /* CLOCK_MONOTONIC in µs when the last packet came or went */
	__u64 bytes_received; /* RFC 4898, the peer's FIN included */
	__u64 bytes_acked;    /* RFC 4898, our SYN and FIN included */
};

struct seq_file {
	unsigned long count; /* bytes in its buffer */
};

struct bpf_map;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 seq_num;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

#pragma clang attribute pop

#define SOCK_DONE_BIT 1 /* enum sock_flags: the peer's FIN was received */

#define AF_INET6 10

/* Numbers that user space sees too. */
#define ECONNRESET 104
#define EPIPE	   32

#endif
