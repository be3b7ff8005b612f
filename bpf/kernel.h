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

struct net_device {
	int ifindex;
};

struct dst_entry {
	struct net_device *dev;
};

struct sock {
	struct sock_common __sk_common;
	int sk_err;
	struct {
		int len;
	} sk_backlog;
	struct dst_entry *sk_dst_cache;
};

struct rb_node;

struct rb_root {
	struct rb_node *rb_node;
};

struct tcp_options_received {
	__u32 ts_recent; /* the peer's last timestamp */
	__u16 tstamp_ok : 1;
	__u16 sack_ok : 3;
	__u16 snd_wscale : 4;
	__u16 rcv_wscale : 4;
};

struct tcp_md5sig_info;
struct tcp_ao_info;

struct tcp_sock {
	__u32 rcv_nxt;
	__u32 rcv_wup;	  /* what our last segment has acknowledged */
	__u32 rcv_wnd;	  /* from there on, what the peer was told it may send */
	__u32 copied_seq; /* what the process has read */
	__u32 snd_una;
	__u32 snd_nxt;
	__u32 write_seq;
	__u32 tsoffset;
	__u32 mss_cache;
	__u16 advmss;
	__u16 urg_data;
	__u32 packets_out, lost_out, retrans_out, sacked_out;
	__u8 ecn_flags;
	__u8 tcp_usec_ts : 1; /* since 6.7 */
	_Bool is_mptcp;
	struct tcp_md5sig_info *md5sig_info;
	struct tcp_ao_info *ao_info; /* since 6.7 */
	struct rb_root out_of_order_queue;
	struct tcp_options_received rx_opt;
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

/* A bit of skc_flags: the peer's FIN was received. */
enum sock_flags {
	SOCK_DONE = 1,
};

#pragma clang attribute pop

#define AF_INET6 10

/* Numbers that user space sees too, by architecture. */
#include <asm/errno.h>

#endif
