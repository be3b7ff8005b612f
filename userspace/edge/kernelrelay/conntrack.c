// SPDX-License-Identifier: MIT
/* The firewall's memory of connections: entries whose end it cannot see are taken out. */
#include "edge/kernelrelay/conntrack.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

/* Of this network namespace; hooks are there only when some rule asks for them. */
static bool is_tracking(void)
{
	FILE *f = fopen("/proc/sys/net/netfilter/nf_conntrack_count", "re");
	unsigned n = 0;
	bool some = f && fscanf(f, "%u", &n) == 1 && n;

	if (f)
		fclose(f);
	return some;
}

struct relay_conntrack *relay_conntrack_open(void)
{
	struct mnl_socket *s;

	if (!is_tracking())
		return NULL;
	s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(s);
		s = NULL;
	}
	return (struct relay_conntrack *)s;
}

static void put_tuple(struct nlmsghdr *msg, const uint32_t *src, const uint32_t *dst,
		      uint16_t src_port, uint16_t dst_port, bool v6)
{
	struct nlattr *tuple = mnl_attr_nest_start(msg, CTA_TUPLE_ORIG), *part;

	part = mnl_attr_nest_start(msg, CTA_TUPLE_IP);
	mnl_attr_put(msg, v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, v6 ? 16 : 4, src);
	mnl_attr_put(msg, v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, v6 ? 16 : 4, dst);
	mnl_attr_nest_end(msg, part);
	part = mnl_attr_nest_start(msg, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(msg, CTA_PROTO_NUM, IPPROTO_TCP);
	mnl_attr_put_u16(msg, CTA_PROTO_SRC_PORT, src_port);
	mnl_attr_put_u16(msg, CTA_PROTO_DST_PORT, dst_port);
	mnl_attr_nest_end(msg, part);
	mnl_attr_nest_end(msg, tuple);
}

void relay_conntrack_forget(struct relay_conntrack *c, const struct relay_tuple *k, bool inwards,
			    bool v6)
{
	_Alignas(struct nlmsghdr) char buf[512];
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	msg->nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE;
	msg->nlmsg_flags = NLM_F_REQUEST;
	nfg = mnl_nlmsg_put_extra_header(msg, sizeof(*nfg));
	nfg->nfgen_family = v6 ? AF_INET6 : AF_INET;
	nfg->version = NFNETLINK_V0;
	if (inwards)
		put_tuple(msg, k->peer, k->local, k->peer_port, k->local_port, v6);
	else
		put_tuple(msg, k->local, k->peer, k->local_port, k->peer_port, v6);
	mnl_socket_sendto((struct mnl_socket *)c, msg, msg->nlmsg_len);
	/* "No such entry" is as good an answer as any. */
	while (mnl_socket_recvfrom((struct mnl_socket *)c, buf, sizeof(buf)) > 0)
		;
}

void relay_conntrack_close(struct relay_conntrack *c)
{
	if (c)
		mnl_socket_close((struct mnl_socket *)c);
}
