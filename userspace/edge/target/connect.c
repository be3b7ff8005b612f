// SPDX-License-Identifier: MIT
/* One connect(2) to one address: its start, its result, whose fault a failure is, its duration. */
#include "edge/target/connect.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/account/account.h"
#include "edge/target/source.h"
#include "edge/target/target.h"
#include "lib/base/clock.h"

/* The least that the kernel waits before it repeats a SYN (bpf/account.bpf.c). */
#define SYN_REPEAT_NS (100 * NS_PER_MS)
#define PORT_RANGE    "/proc/sys/net/ipv4/ip_local_port_range"

/*
 * EADDRNOTAVAIL means that the ports are used up, or that the host has no address of that family to
 * send from (IPv6 switched off). A datagram socket needs no port that others want.
 */
static bool lacks_source(const union addr *a)
{
	int fd = socket(a->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool lacks;

	if (fd < 0)
		return false;
	lacks = connect(fd, &a->sa, addr_len(a)) < 0;
	close(fd);
	return lacks;
}

int connect_start(struct target *t, const union addr *a, const struct source *source,
		  const struct account_tag *tag, struct account *account, unsigned worker, int mss)
{
	static const int on = 1;
	bool counted = true;
	int fd, err;

	fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0) {
		/* A family this host was built without is an address it cannot reach. */
		return errno == EAFNOSUPPORT ? -ENETUNREACH : -errno;
	}
	err = source_apply(source, fd, a->sa.sa_family, true);
	if (err) {
		close(fd);
		return err;
	}
	if (mss)
		setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof(mss));
	if (tag) {
		/* Before the first byte can come: an urgent one is relayed as one of the stream (RFC 6093),
		 * and a socket without this option takes it out, and those before it too when more follow. */
		setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
		err = account_connect(account, worker, fd, &a->sa, addr_len(a), tag, &counted);
	} else {
		err = connect(fd, &a->sa, addr_len(a)) ? -errno : 0;
	}
	if (!counted)
		cell_add(&totals_cell(t->totals, worker)->untagged, 1);
	if (!err || err == -EINPROGRESS)
		return fd;
	close(fd);
	if (source)
		return source_error(source, a->sa.sa_family, err);
	return err == -EADDRNOTAVAIL && lacks_source(a) ? -ENETUNREACH : err;
}

int connect_result(int fd, uint32_t events)
{
	socklen_t len = sizeof(int);
	int err = 0;

	/* The result is SO_ERROR, never HUP alone; OUT without either is success. */
	if (!(events & (EPOLLERR | EPOLLHUP)))
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	/* A SYN that a RST answers is ECONNREFUSED. These two come only after the handshake, so the
	 * target was established; EPOLLERR tells the relay what has become of it. */
	if (err == ECONNRESET || err == EPIPE)
		err = 0;
	/* Connected and already closed by the peer: that is for the relay to see. */
	if (!err && !(events & EPOLLOUT))
		err = ECONNRESET;
	return err;
}

bool connect_error_is_ours(int err, bool at_once)
{
	switch (err) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
	case EADDRNOTAVAIL:
	case EADDRINUSE:
	case ENOSPC: /* epoll_ctl(2): fs.epoll.max_user_watches */
	case EAGAIN: /* connect(2): no free local port in the range */
	case EBUSY:  /* too many names */
		return true;
	case EACCES:
	case EPERM:
		return at_once;
	}
	return false;
}

struct connect_ports connect_local_ports(void)
{
	struct connect_ports p = {1024, UINT16_MAX};
	FILE *f = fopen(PORT_RANGE, "re");
	unsigned low, high;

	if (!f)
		return p;
	if (fscanf(f, "%u %u", &low, &high) == 2)
		p = (struct connect_ports){(uint16_t)low, (uint16_t)high};
	fclose(f);
	return p;
}

bool connect_met_itself(int fd, const union addr *a, struct connect_ports local)
{
	socklen_t len = sizeof(union addr);
	union addr own;

	return addr_port(a) >= local.low && addr_port(a) <= local.high &&
	       !getsockname(fd, &own.sa, &len) && addr_equal(&own, a);
}

/*
 * A handshake with a repeated SYN says nothing of the usual time by its length (Karn's rule, RFC 6298,
 * 3); the peer's timestamp does, and then the kernel knows a round-trip time. That is also what a late
 * look at the socket does not lengthen. No SYN is repeated before SYN_REPEAT_NS, so only slow
 * handshakes have to be asked about.
 */
void connect_learn_time(struct target *t, int fd, uint64_t ns)
{
	struct tcp_info ti = {0};
	socklen_t len = sizeof(ti);

	if (ns >= SYN_REPEAT_NS) {
		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len) < 0)
			return;
		if (ti.tcpi_rtt)
			ns = ti.tcpi_rtt * NS_PER_US;
	}
	if (ti.tcpi_total_retrans)
		target_learn_slow_connect(t, ns, ti.tcpi_rtt != 0);
	else
		target_learn_connect_time(t, ns);
}
