// SPDX-License-Identifier: MIT
/* What a rule's connections, flows and checks go out from: address, interface, congestion control. */
#include "edge/target/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/rule/blocks.h"
#include "lib/rule/rule.h"

int source_new(const struct rule *rule, struct source **out)
{
	struct source *s;

	*out = NULL;
	if (!rule->source_address && !rule->source_interface && !rule->congestion_control)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->refs = 1;
	for (size_t i = 0; rule->source_address && i < rule->source_address->n; i++) {
		union addr a;

		if (addr_parse_literal(rule->source_address->text[i], 0, &a))
			continue;
		*(a.sa.sa_family == AF_INET ? &s->v4 : &s->v6) = a;
	}
	if (rule->source_interface)
		strncpy(s->interface, rule->source_interface, sizeof(s->interface) - 1);
	if (rule->congestion_control)
		strncpy(s->congestion, rule->congestion_control, sizeof(s->congestion) - 1);
	*out = s;
	return 0;
}

void source_unref(struct source *s)
{
	if (s && atomic_fetch_sub(&s->refs, 1) == 1)
		free(s);
}

static const union addr *address_of(const struct source *s, int family)
{
	const union addr *a = family == AF_INET ? &s->v4 : &s->v6;

	return a->sa.sa_family ? a : NULL;
}

/* 0 or -errno, as each step has it. */
static int try_apply(const struct source *s, int fd, int family, bool tcp)
{
	static const int on = 1;
	const union addr *a = address_of(s, family);

	/* Linux 5.7 lets everybody do it for a socket that has none yet (socket(7)). */
	if (s->interface[0] && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, s->interface,
					  (socklen_t)strlen(s->interface)) < 0)
		return -errno;
	if (a) {
		/* Else bind(2) would take a port before it is known who it talks to, and each address
		 * would have as many connections as there are ports (ip(7)). */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		if (bind(fd, &a->sa, addr_len(a)) < 0)
			return -errno;
	}
	if (tcp && s->congestion[0])
		return source_set_congestion(fd, s->congestion);
	return 0;
}

int source_apply(const struct source *s, int fd, int family, bool tcp)
{
	return s && try_apply(s, fd, family, tcp) ? -EADDRNOTAVAIL : 0;
}

int source_error(const struct source *s, int family, int err)
{
	if (!s || (!s->interface[0] && !address_of(s, family)))
		return err;
	/* EINVAL: a loopback address towards another host (ip_route_output_key_hash_rcu()). */
	return err == -ENETUNREACH || err == -EINVAL || err == -ENODEV ? -EADDRNOTAVAIL : err;
}

/* The host's own, as a new socket has it. */
static int host_congestion(char name[16])
{
	socklen_t len = 16;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) < 0)
		err = -errno;
	close(fd);
	return err;
}

int source_set_congestion(int fd, const char *name)
{
	char own[16] = "";

	if (!name || !*name) {
		int err = host_congestion(own);

		if (err)
			return err;
		name = own;
	}
	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) < 0
		       ? -errno
		       : 0;
}

/* ---- at the activation ---- */

static const char *interface_lacking(const char *name, const char *reason, const char **hint)
{
	if (!name || if_nametoindex(name))
		return NULL;
	*hint = "`ip link` lists the interfaces of this host; tried again when one appears";
	return reason;
}

static const char *congestion_lacking(int err, const char **hint)
{
	if (err == -EPERM) {
		*hint = "sysctl net.ipv4.tcp_allowed_congestion_control, or CAP_NET_ADMIN";
		return "congestion_control_not_allowed";
	}
	*hint = "sysctl net.ipv4.tcp_available_congestion_control lists them; modprobe tcp_…";
	return "congestion_control_unknown";
}

/* Does what a connection of @family would. */
static const char *family_lacking(const struct source *s, int family, const char **hint)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? -errno : try_apply(s, fd, family, false);

	if (fd >= 0)
		close(fd);
	if (!err)
		return NULL;
	*hint = err == -EPERM ? "source_interface needs Linux 5.7, or CAP_NET_RAW"
			      : "source_address is no address of this host, or not of "
				"source_interface";
	return err == -EPERM ? "permission_denied" : "source_address_unavailable";
}

static const char *lacking(const struct source *s, const char **hint)
{
	const char *reason = NULL;
	int fd, err;

	if (s->interface[0] || s->v4.sa.sa_family)
		reason = family_lacking(s, AF_INET, hint);
	if (!reason && s->v6.sa.sa_family)
		reason = family_lacking(s, AF_INET6, hint);
	if (reason || !s->congestion[0])
		return reason;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	err = fd < 0 ? 0 : source_set_congestion(fd, s->congestion);
	if (fd >= 0)
		close(fd);
	return err ? congestion_lacking(err, hint) : NULL;
}

const char *source_lacking(const struct rule *rule, const char **hint)
{
	const char *reason = interface_lacking(rule->listen_interface, "listen_interface_unknown",
					       hint);
	struct source *s;

	if (!reason)
		reason = interface_lacking(rule->source_interface, "source_interface_unknown",
					   hint);
	/* Without memory nothing is known to be lacking. */
	if (reason || source_new(rule, &s) || !s)
		return reason;
	reason = lacking(s, hint);
	source_unref(s);
	return reason;
}
