// SPDX-License-Identifier: MIT
/* Listening where there is no address yet. */
#include "lib/base/late_bind.h"

#include <errno.h>
#include <linux/in6.h>
#include <sys/socket.h>

#include "lib/base/log.h"

int late_bind(int fd, const union addr *at)
{
	char text[ADDR_TEXT_MAX];
	const int on = 1;

	if (!bind(fd, &at->sa, addr_len(at)))
		return 0;
	if (errno != EADDRNOTAVAIL)
		return -errno;
	/* Since Linux 2.4, and for IPv6 by its own name since 4.15; needs no privilege. */
	if (at->sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
	else
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	if (bind(fd, &at->sa, addr_len(at)))
		return -errno;
	log_event(LOG_WARN, "listen.address_absent",
		  LOGF_STR("address", addr_text(at, text, sizeof(text))),
		  LOGF_STR("advice", "this host does not have the address yet; connections come in "
				     "as soon as it has"));
	return 0;
}
