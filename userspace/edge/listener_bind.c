// SPDX-License-Identifier: MIT
/* Opening listening sockets: both families, one per worker, and an honest answer to "in use". */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/account.h"
#include "edge/listener.h"
#include "lib/addr.h"
#include "lib/rule.h"

#define BACKLOG 4096 /* the kernel caps it at net.core.somaxconn */

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
	/* An urgent byte is relayed as one of the stream; later than this it may be skipped. */
	set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

/* The rule's address, or the wildcard: [::] for both families, 0.0.0.0 where there is no IPv6. */
static int open_socket(const struct rule *rule, union addr *a)
{
	int fd;

	memset(a, 0, sizeof(*a));
	if (rule->listen_address) {
		int err = addr_parse_literal(rule->listen_address, rule->listen_port, a);

		if (err)
			return err;
	} else {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(rule->listen_port);
	}
	fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0 && errno == EAFNOSUPPORT && !rule->listen_address) {
		memset(a, 0, sizeof(*a));
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(rule->listen_port);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	}
	return fd < 0 ? -errno : fd;
}

static int bind_socket(const struct rule *rule, bool reuseport)
{
	union addr a;
	int fd = open_socket(rule, &a), err;

	if (fd < 0)
		return fd;
	err = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
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

/* Tags, then listens: no connection is accepted before it is known whose it is. */
static int start(int fd, const struct rule *rule, struct account *account, uint64_t unassigned_slot,
		 uint64_t expected_slot)
{
	int err = account_tag_listener(account, fd, rule->id, unassigned_slot, expected_slot);

	/* Forwarding without exact counts beats not forwarding; the account shows its state. */
	(void)err;
	set_inherited(fd);
	return listen(fd, BACKLOG) < 0 ? -errno : 0;
}

int listener_bind(const struct rule *rule, struct account *account, uint64_t unassigned_slot,
		  uint64_t expected_slot, int *fds, unsigned n)
{
	unsigned opened = 0;
	int err;

	/*
	 * Without SO_REUSEPORT first: a port that somebody else listens on is then refused by
	 * bind() or by listen(). That socket serves if it is the only one; a SO_REUSEPORT group
	 * takes members only that said so before bind().
	 */
	fds[0] = bind_socket(rule, false);
	if (fds[0] < 0)
		return fds[0];
	opened = 1;
	err = start(fds[0], rule, account, unassigned_slot, expected_slot);
	if (err || n == 1)
		goto out;
	close(fds[0]);
	for (opened = 0; opened < n; opened++) {
		fds[opened] = bind_socket(rule, true);
		if (fds[opened] < 0) {
			err = fds[opened];
			break;
		}
		err = start(fds[opened], rule, account, unassigned_slot, expected_slot);
		if (err) {
			opened++;
			break;
		}
	}
out:
	while (err && opened)
		close(fds[--opened]);
	return err;
}
