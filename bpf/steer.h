/* SPDX-License-Identifier: MIT */
/* What the program that hands ports of a range to one socket shares with user space. */
#ifndef PORTUNUS_BPF_STEER_H
#define PORTUNUS_BPF_STEER_H

#include <linux/types.h>

#define STEER_RULES_MAX 1024 /* rules with a range at a time */
/* Rules that share a port, each at another address. */
#define STEER_AT_PORT 4
#define STEER_PORTS   65536

/* Whose a port is: places of rules plus one, 0 after the last. */
struct steer_port {
	__u16 rule[STEER_AT_PORT];
};

/* Where a rule listens, by its place; the same place of the array of sockets has its socket. */
struct steer_rule {
	__u32 family; /* 0: all addresses; AF_INET, AF_INET6: the one below, or all zero: all of the family */
	__u32 address[4]; /* as in a packet; of IPv4 the first word */
};

#endif
