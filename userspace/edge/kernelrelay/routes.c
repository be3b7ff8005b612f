// SPDX-License-Identifier: MIT
/* By which interface a connection's packets leave, as the kernel's routes have it now. */
#include "edge/kernelrelay/routes.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

static int on_attr(const struct nlattr *attr, void *arg)
{
	if (mnl_attr_get_type(attr) == RTA_OIF)
		*(int *)arg = (int)mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *msg, void *arg)
{
	return mnl_attr_parse(msg, sizeof(struct rtmsg), on_attr, arg);
}

struct relay_routes *relay_routes_open(void)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(s);
		s = NULL;
	}
	return (struct relay_routes *)s;
}

int relay_routes_find(struct relay_routes *r, const struct relay_tuple *k, bool v6)
{
	_Alignas(struct nlmsghdr) char buf[4096];
	struct mnl_socket *s = (struct mnl_socket *)r;
	const size_t bytes = v6 ? 16 : 4;
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	struct rtmsg *rt;
	int ifindex = -ENETUNREACH;
	ssize_t n;

	msg->nlmsg_type = RTM_GETROUTE;
	msg->nlmsg_flags = NLM_F_REQUEST;
	rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));
	rt->rtm_family = v6 ? AF_INET6 : AF_INET;
	rt->rtm_dst_len = rt->rtm_src_len = (unsigned char)(bytes * 8);
	mnl_attr_put(msg, RTA_DST, bytes, k->peer);
	mnl_attr_put(msg, RTA_SRC, bytes, k->local);
	/* The kernel answers within the call. */
	if (mnl_socket_sendto(s, msg, msg->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(s, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)n, 0, mnl_socket_get_portid(s), on_route, &ifindex) < 0
		       ? -errno
		       : ifindex;
}

void relay_routes_close(struct relay_routes *r)
{
	if (r)
		mnl_socket_close((struct mnl_socket *)r);
}
