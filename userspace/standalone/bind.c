// SPDX-License-Identifier: MIT
/* Whether the ports of rules can be had now. */
#include "standalone/bind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/addr.h"
#include "lib/rule/rule.h"
#include "lib/rule/span.h"
#include "standalone/config.h"

/* 0 or -errno. An address that the host does not have is no error: the edge waits for it. */
static int try_port(const struct rule *r, unsigned port, const char *address, bool both)
{
	const int off = 0, on = 1;
	union addr at;
	int fd, err = addr_parse_literal(address, (uint16_t)port, &at);

	if (err)
		return err;
	fd = socket(at.sa.sa_family,
		    (r->protocol == RULE_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (r->protocol == RULE_TCP)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (both)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, &at.sa, addr_len(&at)) < 0 || (r->protocol == RULE_TCP && listen(fd, 1) < 0))
		err = errno == EADDRNOTAVAIL ? 0 : -errno;
	close(fd);
	return err;
}

static int try_listener(const struct rule *r, unsigned port)
{
	int err;

	if (r->listen_address)
		return try_port(r, port, r->listen_address, false);
	err = try_port(r, port, "::", true);
	return err == -EAFNOSUPPORT ? try_port(r, port, "0.0.0.0", false) : err;
}

unsigned bind_try(const struct config *c)
{
	unsigned failed = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct rule *r = c->rules[i];
		const struct span s = rule_span(r);

		for (unsigned port = s.first; port <= s.last; port++) {
			int err = try_listener(r, port);

			if (!err)
				continue;
			fprintf(stderr, "error: rule '%s': port %u: %s\n", c->names[i].name, port,
				strerror(-err));
			failed++;
			break;
		}
	}
	return failed;
}
