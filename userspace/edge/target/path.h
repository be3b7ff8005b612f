/* SPDX-License-Identifier: MIT */
/* Which way a connection's bytes take, and why not through the kernel. */
#ifndef PORTUNUS_EDGE_TARGET_PATH_H
#define PORTUNUS_EDGE_TARGET_PATH_H

/* Why a connection is not relayed by the kernel; the index of its counter and, as text, in the lists. */
enum path_reason {
	PATH_KERNEL,	  /* it is */
	PATH_ASKED,	  /* its rule says so, or says nothing */
	PATH_UNAVAILABLE, /* the programs are not there */
	PATH_YOUNG,	  /* "auto": it has not said enough yet */
	PATH_DISTANT,	  /* "auto": the target is not near enough */
	PATH_OPTIONS,	  /* "auto": an idle time-out */
	PATH_CAPPED,	  /* bytes of its rule or owner are capped */
	PATH_FAMILY,	  /* IPv6 on one leg, IPv4 on the other */
	PATH_NO_SLOT,	  /* every slot is taken, or still lingers */
	PATH_ENDING,	  /* one side has ended already */
	PATH_LOCAL,	  /* no memory, or a system call failed */
	PATH_UNREAD,	  /* from here on what the hand-over found */
	PATH_UNSENT,
	PATH_UNACKNOWLEDGED,
	PATH_BETWEEN,
	PATH_UNSEEN,
	PATH_ACK_OWED,
	PATH_RACE,
	PATH_LOSS,
	PATH_STATE,
	PATH_TIMESTAMPS,
	PATH_CLOCK,
	PATH_SACK,
	PATH_ECN,
	PATH_MSS,
	PATH_ROUTE,
	PATH_NEIGHBOUR,
	PATH_SIGNED,
	PATH_MPTCP,
	PATH_URGENT,
	PATH_SLOT,
	PATH_REASONS,
};

/* One word, for lists and labels. */
const char *path_reason_text(enum path_reason reason);

#endif
