// SPDX-License-Identifier: MIT
/* The sockets of joined connections: made silent, asked for a sign of life of their peers, reset. */
#include "edge/kernelrelay/sockets.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/addr.h"

#ifndef SO_ATTACH_BPF
#define SO_ATTACH_BPF 50
#endif

/* tcp(7) does not tell: values of TCP_REPAIR (linux/tcp.h). */
enum { REPAIR_OFF = 0, REPAIR_ON = 1, REPAIR_OFF_SILENTLY = -1 };

static int repair(int fd, int value)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &value, sizeof(value)) ? -errno : 0;
}

bool relay_sockets_usable(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && !repair(fd, REPAIR_ON);

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool take_address(const union addr *a, uint32_t to[4], uint16_t *port)
{
	memset(to, 0, 16);
	if (a->sa.sa_family == AF_INET) {
		to[0] = a->v4.sin_addr.s_addr;
		*port = a->v4.sin_port;
		return false;
	}
	*port = a->v6.sin6_port;
	if (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr)) {
		memcpy(to, &a->v6.sin6_addr.s6_addr[12], 4);
		return false;
	}
	memcpy(to, &a->v6.sin6_addr, 16);
	return true;
}

int relay_socket_tuple(int fd, struct relay_tuple *k, bool *v6)
{
	union addr a;
	socklen_t len = sizeof(a);

	if (getpeername(fd, &a.sa, &len) < 0)
		return -errno;
	*v6 = take_address(&a, k->peer, &k->peer_port);
	len = sizeof(a);
	if (getsockname(fd, &a.sa, &len) < 0)
		return -errno;
	take_address(&a, k->local, &k->local_port);
	return 0;
}

void relay_socket_hush(int fd, int filter_fd, bool lasts)
{
	static const int off = 0, forever = INT_MAX;

	repair(fd, REPAIR_ON);
	setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &filter_fd, sizeof(filter_fd));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &off, sizeof(off));
	/* Its acknowledgement goes to the other end, so it would give up in the end. */
	if (lasts)
		setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &forever, sizeof(forever));
}

void relay_socket_probe(int fd)
{
	/* tcp_repair_set(): leaving repair mode sends a window probe. */
	repair(fd, REPAIR_OFF);
	repair(fd, REPAIR_ON);
}

static socklen_t give_address(union addr *a, const uint32_t from[4], uint16_t port, bool v6)
{
	memset(a, 0, sizeof(*a));
	if (v6) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = port;
		memcpy(&a->v6.sin6_addr, from, 16);
		return sizeof(a->v6);
	}
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = port;
	a->v4.sin_addr.s_addr = from[0];
	return sizeof(a->v4);
}

static int set_queue(int fd, int queue, uint32_t seq)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, sizeof(seq)))
		return -errno;
	return 0;
}

/* An established socket in repair mode that has sent and received nothing. */
static int make(const struct relay_tuple *k, bool v6, uint32_t snd, uint32_t rcv)
{
	static const int none = TCP_NO_QUEUE, on = 1;
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	union addr a;
	socklen_t len;
	int rc;

	if (fd < 0)
		return -errno;
	rc = repair(fd, REPAIR_ON);
	if (!rc)
		rc = set_queue(fd, TCP_SEND_QUEUE, snd);
	if (!rc)
		rc = set_queue(fd, TCP_RECV_QUEUE, rcv);
	if (rc)
		goto failed;
	setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &none, sizeof(none));
	/* The address may be away for the moment. */
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	len = give_address(&a, k->local, k->local_port, v6);
	if (bind(fd, &a.sa, len) < 0)
		goto failed_errno;
	len = give_address(&a, k->peer, k->peer_port, v6);
	if (connect(fd, &a.sa, len) < 0)
		goto failed_errno;
	return fd;
failed_errno:
	rc = -errno;
failed:
	close(fd);
	return rc;
}

int relay_socket_remake(const struct relay_tuple *k, bool v6, uint32_t snd, uint32_t rcv,
			int filter_fd)
{
	int fd = make(k, v6, snd, rcv);

	if (fd >= 0)
		relay_socket_hush(fd, filter_fd, false);
	return fd;
}

void relay_tuple_reset(const struct relay_tuple *k, bool v6, uint32_t snd, uint32_t rcv)
{
	static const struct linger now = {.l_onoff = 1, .l_linger = 0};
	int fd = make(k, v6, snd, rcv);

	if (fd < 0)
		return;
	repair(fd, REPAIR_OFF);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}
