// SPDX-License-Identifier: MIT
/* News of the network: rtnetlink's notifications, boiled down to "something has changed". */
#include "edge/watch/netlink.h"

#include <errno.h>
#include <event2/event.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#define CALM_MS	    100 /* between two calls; changes come in crowds */
#define BATCH_READS 64	/* then other events have their turn */

/* Owned by the thread of its event base. */
struct netlink {
	void (*changed)(void *arg);
	void *arg;
	struct mnl_socket *socket;
	struct event *readable;
	struct event *calm; /* pending: called less than CALM_MS ago */
	bool more;	    /* something has changed since */
};

static void on_change(struct netlink *n)
{
	const struct timeval calm = {0, CALM_MS * 1000};

	if (evtimer_pending(n->calm, NULL)) {
		n->more = true;
		return;
	}
	n->more = false;
	/* Without the timer we would only call more often. */
	evtimer_add(n->calm, &calm);
	n->changed(n->arg);
}

static void on_calm(evutil_socket_t fd, short what, void *arg)
{
	struct netlink *n = arg;

	if (n->more)
		on_change(n);
}

/* A clone is what the kernel learnt of one peer (a redirect, a path MTU); the table local follows the
 * addresses, which are told of as such; and no target is reached by link-local or multicast routes. */
static bool route_matters(const struct nlmsghdr *msg)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(msg) < sizeof(*route) || route->rtm_flags & RTM_F_CLONED ||
	    route->rtm_table == RT_TABLE_LOCAL || route->rtm_type == RTN_MULTICAST)
		return false;
	mnl_attr_for_each(attr, msg, sizeof(*route))
	{
		const uint8_t *to = mnl_attr_get_payload(attr);

		if (mnl_attr_get_type(attr) == RTA_DST && route->rtm_family == AF_INET6 &&
		    mnl_attr_get_payload_len(attr) >= 16)
			return to[0] != 0xff && !(to[0] == 0xfe && (to[1] & 0xc0) == 0x80);
	}
	return true;
}

/* Whether a message tells of a change that can make an address reachable or not. */
static bool matters(const struct nlmsghdr *msg)
{
	const struct ifaddrmsg *address = mnl_nlmsg_get_payload(msg);
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(msg);

	switch (msg->nlmsg_type) {
	case RTM_NEWLINK: /* of a link that is there already: which flags have changed */
		return mnl_nlmsg_get_payload_len(msg) >= sizeof(*link) && link->ifi_change;
	case RTM_DELLINK:
		return true;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return mnl_nlmsg_get_payload_len(msg) >= sizeof(*address) &&
		       address->ifa_scope < RT_SCOPE_LINK;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route_matters(msg);
	default:
		return false;
	}
}

static bool any_matters(const void *buf, int len)
{
	const struct nlmsghdr *msg = buf;

	for (; mnl_nlmsg_ok(msg, len); msg = mnl_nlmsg_next(msg, &len))
		if (matters(msg))
			return true;
	return false;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	_Alignas(struct nlmsghdr) char buf[8192]; /* a link with all its attributes: 2 KiB */
	struct netlink *n = arg;
	bool change = false;

	for (int i = 0; i < BATCH_READS; i++) {
		ssize_t len = mnl_socket_recvfrom(n->socket, buf, sizeof(buf));

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == EAGAIN)
			break;
		/* ENOBUFS (the queue ran over) and ENOSPC (larger than buf) are lost news. */
		change = change || len < 0 || any_matters(buf, (int)len);
		if (len < 0 && errno != ENOBUFS && errno != ENOSPC)
			break;
	}
	if (change)
		on_change(n);
}

static struct mnl_socket *subscribe(void)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int saved;

	if (!s)
		return NULL;
	if (mnl_socket_bind(s,
			    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
				    RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
			    MNL_SOCKET_AUTOPID) < 0) {
		saved = errno;
		mnl_socket_close(s);
		errno = saved;
		return NULL;
	}
	return s;
}

struct netlink *netlink_new(struct event_base *base, void (*changed)(void *arg), void *arg)
{
	struct netlink *n = calloc(1, sizeof(*n));
	int saved;

	if (!n)
		return NULL;
	n->changed = changed;
	n->arg = arg;
	n->socket = subscribe();
	if (!n->socket) {
		saved = errno;
		goto failed;
	}
	saved = ENOMEM;
	n->calm = evtimer_new(base, on_calm, n);
	n->readable = event_new(base, mnl_socket_get_fd(n->socket), EV_READ | EV_PERSIST,
				on_readable, n);
	if (!n->calm || !n->readable || event_add(n->readable, NULL) < 0)
		goto failed;
	return n;

failed:
	netlink_free(n);
	errno = saved;
	return NULL;
}

void netlink_free(struct netlink *n)
{
	if (!n)
		return;
	if (n->readable)
		event_free(n->readable);
	if (n->calm)
		event_free(n->calm);
	if (n->socket)
		mnl_socket_close(n->socket);
	free(n);
}
