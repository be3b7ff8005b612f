/* SPDX-License-Identifier: MIT */
/* One connect(2) to one address: its start, its result, whose fault a failure is, its duration. */
#ifndef PORTUNUS_EDGE_TARGET_CONNECT_H
#define PORTUNUS_EDGE_TARGET_CONNECT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/addr.h"

struct account;
struct account_tag;
struct source;
struct target;

/*
 * Starts a connect to address @a of @t. Returns a socket that is connected or connecting, or -errno.
 * @mss: no segment of either side is to be larger (tcp(7), TCP_MAXSEG); 0: as the path has it.
 * @source, which may be NULL, says where it goes out from; @tag for whom the kernel counts its bytes; NULL: it
 * is a health check, whose are not counted.
 */
int connect_start(struct target *t, const union addr *a, const struct source *source,
		  const struct account_tag *tag, struct account *account, unsigned worker, int mss);

/*
 * What @events of a connecting socket mean: 0 established, else a positive errno. Call it only for
 * EPOLLOUT, EPOLLERR or EPOLLHUP.
 */
int connect_result(int fd, uint32_t events);

/*
 * Whether an error says something about this host, not about the target. @at_once: connect(2) itself
 * returned it. A local policy (a prohibit route, a filter) answers there with EACCES or EPERM; later
 * these come from an ICMP message, so from a firewall at or before the target.
 */
bool connect_error_is_ours(int err, bool at_once);

/* The ports that the kernel gives to outgoing connections (net.ipv4.ip_local_port_range). */
struct connect_ports {
	uint16_t low, high;
};
struct connect_ports connect_local_ports(void);

/*
 * Whether the socket is connected to itself: a SYN to a port of this host where nobody listens, sent
 * from just that port, is answered by the socket that sent it (simultaneous open, RFC 9293, 3.5). That
 * takes a port out of @local.
 */
bool connect_met_itself(int fd, const union addr *a, struct connect_ports local);

/* Adds the duration of a handshake to what is usual for @t. */
void connect_learn_time(struct target *t, int fd, uint64_t ns);

#endif
