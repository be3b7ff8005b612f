/* SPDX-License-Identifier: MIT */
/* News of the network: rtnetlink's notifications, boiled down to "something has changed". */
#ifndef PORTUNUS_EDGE_WATCH_NETLINK_H
#define PORTUNUS_EDGE_WATCH_NETLINK_H

struct event_base;
struct netlink;

/*
 * Calls @changed on @base's thread, at most once per 100 ms, after a link, an address or a route
 * was added, removed or changed (rtnetlink groups LINK, IPV4_IFADDR, IPV6_IFADDR, IPV4_ROUTE,
 * IPV6_ROUTE); a lost message (ENOBUFS) counts as a change. NULL with errno set when the socket
 * cannot be had: nothing but the quick re-check is lost then.
 */
struct netlink *netlink_new(struct event_base *base, void (*changed)(void *arg), void *arg);
void netlink_free(struct netlink *n);

#endif
