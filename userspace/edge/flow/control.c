// SPDX-License-Identifier: MIT
/* What the kernel says beside a datagram: where it was sent to, its segments, an error of its way. */
#include "edge/flow/control.h"

#include <errno.h>
#include <time.h>

#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>

/*
 * Takes the value of a message. False: it is shorter, as the last one is for which there was no room
 * (put_cmsg() of the kernel), or longer than what came with it.
 */
static bool take(const struct msghdr *m, const struct cmsghdr *c, void *value, size_t len)
{
	size_t left = m->msg_controllen - (size_t)((const char *)c - (const char *)m->msg_control);

	if (c->cmsg_len < CMSG_LEN(len) || left < CMSG_LEN(len))
		return false;
	memcpy(value, CMSG_DATA(c), len);
	return true;
}

static struct in6_addr mapped(struct in_addr v4)
{
	struct in6_addr a = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	memcpy(&a.s6_addr[12], &v4, sizeof(v4));
	return a;
}

void control_read(struct msghdr *m, struct in6_addr *local, uint16_t *segment)
{
	struct in6_pktinfo v6;
	struct in_pktinfo v4;
	int size;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			if (take(m, c, &v6, sizeof(v6)))
				*local = v6.ipi6_addr;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			/* ip(7): ipi_spec_dst is the local address, of a broadcast too. */
			if (take(m, c, &v4, sizeof(v4)))
				*local = mapped(v4.ipi_spec_dst);
		} else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			if (take(m, c, &size, sizeof(size)) && size > 0 && size <= UINT16_MAX)
				*segment = (uint16_t)size;
		}
	}
}

int control_icmp_error(struct msghdr *m)
{
	struct sock_extended_err e;
	int found = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
		    !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			continue;
		/* Of ours is a datagram larger than the way's MTU, for one. */
		if (take(m, c, &e, sizeof(e)) && e.ee_origin != SO_EE_ORIGIN_LOCAL &&
		    e.ee_errno != EMSGSIZE)
			found = (int)e.ee_errno;
	}
	return found;
}
