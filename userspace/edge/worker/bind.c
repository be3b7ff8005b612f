// SPDX-License-Identifier: MIT
/* Opening listening sockets: both families, one per worker, and an honest answer to "in use". */
#include "edge/worker/bind.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/account/account.h"
#include "edge/conn/sweep.h"
#include "edge/flow/datagram.h"
#include "edge/target/source.h"
#include "edge/worker/select.h"
#include "lib/base/addr.h"
#include "lib/rule/rule.h"

#define DATAGRAM_BUFFER (4 << 20)

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/*
 * Options that accepted sockets inherit: set once here, not once per connection. SO_KEEPALIVE itself
 * is not among them: its timer would be started and stopped for every short connection; the sweep
 * sets it on those that last.
 */
static void set_inherited(int fd)
{
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	/* An urgent byte is relayed as one of the stream; set later it may be skipped. */
	set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
	conn_set_keepalive_times(fd);
}

/* The rule's address, or the wildcard: [::] for both families, 0.0.0.0 where there is no IPv6. */
static int open_socket(const struct rule *rule, uint16_t port, union addr *a)
{
	int type = (rule->protocol == RULE_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK |
		   SOCK_CLOEXEC;
	int fd;

	memset(a, 0, sizeof(*a));
	if (rule->listen_address) {
		int err = addr_parse_literal(rule->listen_address, port, a);

		if (err)
			return err;
	} else {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
	}
	fd = socket(a->sa.sa_family, type, 0);
	if (fd < 0 && errno == EAFNOSUPPORT && !rule->listen_address) {
		memset(a, 0, sizeof(*a));
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		fd = socket(AF_INET, type, 0);
	}
	return fd < 0 ? -errno : fd;
}

static int bind_socket(const struct rule *rule, uint16_t port, bool reuseport)
{
	union addr a;
	int fd = open_socket(rule, port, &a), err;

	if (fd < 0)
		return fd;
	/* Of UDP sockets it would let two programs have the same port. */
	err = rule->protocol == RULE_UDP ? 0 : set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!err && rule->listen_interface &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, rule->listen_interface,
		       (socklen_t)strlen(rule->listen_interface)) < 0)
		err = -errno;
	if (!err && reuseport)
		err = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err && a.sa.sa_family == AF_INET6)
		err = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (!err && bind(fd, &a.sa, addr_len(&a)) < 0)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* Bursts of many clients wait in one socket: room for them, as far as the host allows. */
static void set_datagrams(int fd)
{
	socklen_t len = sizeof(int);
	int family = AF_INET6;

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, DATAGRAM_BUFFER))
		set(fd, SOL_SOCKET, SO_RCVBUF, DATAGRAM_BUFFER);
	datagram_set_receiving(fd, family);
}

/* Tags, then listens: no connection is accepted before it is known whose it is. */
static int start(const struct bind_want *want, struct listening *l)
{
	if (want->rule->protocol == RULE_UDP) {
		set_datagrams(l->fd);
		l->tag_error = 0;
		l->slot = 0;
		return 0;
	}
	l->tag_error = account_tag_listener(want->account, l->fd, want->rule->id,
					    want->unassigned_slot, want->expected_slot);
	/* Forwarding without exact counts beats not forwarding; its connections are shown as untagged. */
	l->slot = l->tag_error ? ACCOUNT_SLOT_UNTAGGED : want->expected_slot;
	set_inherited(l->fd);
	/* Accepted sockets have it from here. Whether the host has it was asked before. */
	if (want->rule->congestion_control)
		source_set_congestion(l->fd, want->rule->congestion_control);
	return listen(l->fd, LISTEN_BACKLOG) < 0 ? -errno : 0;
}

int listener_probe(const struct rule *rule, uint16_t port)
{
	int fd = bind_socket(rule, port, false);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int listener_bind(const struct bind_want *want, uint16_t port, struct listening *out, unsigned n)
{
	/* A client's datagrams have to reach the same worker, which the hash of the addresses sees to. */
	const struct selector *selector = want->rule->protocol == RULE_UDP ? NULL : want->selector;
	unsigned opened;
	int err = 0;

	for (unsigned i = 0; i < n; i++)
		out[i] = (struct listening){.fd = -1, .port = port};
	/*
	 * Without SO_REUSEPORT first: bind() then refuses a port that somebody else listens on. That
	 * socket serves if it is the only one; a SO_REUSEPORT group takes members only that said so
	 * before bind(). So it never listens where it goes again: it would reset whom it had accepted.
	 */
	out[0].fd = bind_socket(want->rule, port, false);
	if (out[0].fd < 0)
		return out[0].fd;
	if (n == 1) {
		opened = 1;
		err = start(want, &out[0]);
		goto out;
	}
	close(out[0].fd);
	for (opened = 0; opened < n; opened++) {
		out[opened].fd = bind_socket(want->rule, port, true);
		if (out[opened].fd < 0) {
			err = out[opened].fd;
			break;
		}
		if (!opened)
			out->select_error = selector_attach(selector, out->fd);
		err = start(want, &out[opened]);
		if (err) {
			opened++;
			break;
		}
	}
out:
	while (err && opened)
		close(out[--opened].fd);
	return err;
}
