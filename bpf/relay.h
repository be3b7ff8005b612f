/* SPDX-License-Identifier: MIT */
/*
 * What the programs of the kernel relay and user space share: keys and values of the pinned maps.
 * Fixed-width types, no padding left to the compiler. Any change of meaning or layout here is a new
 * RELAY_ABI, hence a new directory of pins.
 */
#ifndef PORTUNUS_BPF_RELAY_H
#define PORTUNUS_BPF_RELAY_H

#include <linux/types.h>

#define RELAY_ABI	  1
#define RELAY_PAIRS	  65536
#define RELAY_WORKERS_MAX 64

/* A socket's four numbers as a packet from its peer shows them; network order. IPv4 is [0], the rest 0. */
struct relay_tuple {
	__u32 peer[4];
	__u32 local[4];
	__u16 peer_port, local_port;
};

/* The lowest byte of a pair's word; the rest counts packets that were seen while it was observed. */
enum relay_state {
	RELAY_FREE,
	RELAY_OBSERVED, /* packets go to the sockets, and are counted */
	RELAY_JOINED,	/* packets are translated and forwarded */
	RELAY_ENDED,	/* so are late ones; a SYN takes the tuple out */
};

#define RELAY_STATE(word) ((word)&0xff)
#define RELAY_COUNT_ONE	  0x100ull

enum relay_flag {
	RELAY_FIN0 = 1 << 0, /* leg 0's peer has said its FIN */
	RELAY_FIN1 = 1 << 1,
	RELAY_FIN_ACKED0 = 1 << 2, /* and leg 1's peer has acknowledged it */
	RELAY_FIN_ACKED1 = 1 << 3,
	RELAY_RST0 = 1 << 4, /* a RST of leg 0's peer that the other one had to believe */
	RELAY_RST1 = 1 << 5,
	RELAY_RST_SEEN = 1 << 6, /* one that may be forged */
	RELAY_TOLD = 1 << 7,	 /* the event of its end is out */
	RELAY_IPV6 = 1 << 8,	 /* the same on both legs */
	RELAY_FRAGMENT = 1 << 9, /* a fragment came, which has no way across */
};

/* What packets that arrive from one leg's peer become. Numbers of the other leg unless it says otherwise. */
struct relay_leg {
	__u32 src[4], dst[4]; /* addresses, network order */
	__u32 ports;	      /* source, destination: as a TCP header begins */
	__u32 ifindex;	      /* the way out */
	__u32 seq_add, ack_add, ts_add, tsecr_add;
	/* Shifts: of this leg's peer, and of what the other one expects. */
	__u8 window_from, window_to;
	__u8 old_acked;	  /* what our socket had under way at the hand-over has arrived */
	__u8 seen;	  /* seen_end and seen_ack are valid */
	__u32 fin_end;	  /* end of this leg's FIN */
	__u32 handed_snd; /* this leg's own: write_seq of our socket at the hand-over */
	__u32 handed_una; /* its snd_una then; acked counts from here */
	__u32 seen_end;	  /* this leg's own: the highest sequence number that came, its end */
	__u32 seen_ack;	  /* this leg's own: the highest acknowledgement */
	__u32 ts_margin;  /* added to the timestamps of our own socket */
	__u32 limit; /* this leg's own: the highest right edge of a window that its peer was told */
	__u8 answer_syn; /* our socket may answer one repeated SYN-ACK */
	__u8 pad[7];
	__u64 acked;   /* bytes this leg's peer has acknowledged since handed_una, a FIN included */
	__u64 folded;  /* of these, in the target's record already */
	__u64 packets; /* forwarded */
	__u64 dropped; /* of our own silent socket */
	__u64 passed;  /* the same, let out */
	__u64 last_ns; /* CLOCK_MONOTONIC_COARSE: when its peer was last heard of */
} __attribute__((aligned(8)));

/* One connection: leg 0 to the client, leg 1 to the target. */
struct relay_pair {
	__u64 word;
	__u32 flags;
	__u32 generation;     /* of the slot's use */
	__u32 worker;	      /* whose ring is told */
	__u32 target_ifindex; /* reserved */
	struct relay_tuple tuple[2];
	struct relay_leg leg[2];

	/* Written by user space: what the next process has to know. */
	__u64 record; /* key in the accounting's `targets`, 0 for none */
	__u64 rule_id;
	__u64 target_hash; /* of the target's host and port */
	__u64 started_ns;  /* CLOCK_MONOTONIC: when the connection was accepted */
	__u64 handed_ns;   /* when it was handed over */
	__u64 before[2];   /* bytes that were relayed in user space, by direction */
	__u16 mss[2];	   /* of our sockets, to make them again */
	__u8 window_send[2], window_receive[2];
	__u8 timestamps, sack;
	__u8 reserved[10];
};

/* What the ring buffer carries: a pair came to its end. */
struct relay_event {
	__u32 slot;
	__u32 generation;
};

/* What flip and fold are asked, behind the Ethernet header of their packet. */
struct relay_request {
	__u32 slot, end; /* fold: all from slot to end */
};

/* Why flip would not. 0 is success. */
enum relay_flip {
	RELAY_FLIP_DONE,
	RELAY_FLIP_UNREAD,	   /* the socket has bytes that were not read */
	RELAY_FLIP_UNSENT,	   /* or bytes that were not sent */
	RELAY_FLIP_UNACKNOWLEDGED, /* more than one segment is under way */
	RELAY_FLIP_BETWEEN,	   /* a packet is between the hook and the socket */
	RELAY_FLIP_UNSEEN,	   /* no packet of a leg was seen under its tuple yet */
	RELAY_FLIP_ACK_OWED,	   /* the peer waits for an acknowledgement of ours */
	RELAY_FLIP_RACE,	   /* a packet came in between */
	RELAY_FLIP_LOSS,	   /* something is lost or out of order */
	RELAY_FLIP_STATE,	   /* not established, or an error waits */
	RELAY_FLIP_TIMESTAMPS,	   /* on one leg only */
	RELAY_FLIP_CLOCK,	   /* timestamps in microseconds */
	RELAY_FLIP_SACK,	   /* on one leg only */
	RELAY_FLIP_ECN,		   /* on one leg only, or accurate ECN */
	RELAY_FLIP_MSS,		   /* a full segment of one leg does not fit the other */
	RELAY_FLIP_ROUTE,	   /* no way out, or by loopback to the client */
	RELAY_FLIP_NEIGHBOUR,	   /* no link-layer address of the next hop yet */
	RELAY_FLIP_SIGNED,	   /* TCP-MD5, TCP-AO */
	RELAY_FLIP_MPTCP,
	RELAY_FLIP_URGENT,
	RELAY_FLIP_SLOT, /* the slot is not one that is observed */
	RELAY_FLIPS,
};

#endif
