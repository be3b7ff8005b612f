// SPDX-License-Identifier: MIT
/* Datagrams in batches: received with the address they were sent to, joined and split by the kernel. */
#include "edge/flow/datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "edge/flow/control.h"

int batch_init(struct datagram_batch *b)
{
	memset(b, 0, sizeof(*b));
	b->data = malloc((size_t)DATAGRAM_BATCH * DATAGRAM_BYTES_MAX);
	return b->data ? 0 : -ENOMEM;
}

void batch_free(struct datagram_batch *b)
{
	free(b->data);
	b->data = NULL;
}

void datagram_set_receiving(int fd, int family)
{
	static const int on = 1;

	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	else
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	/* Linux 5.0; without it each datagram comes by itself. */
	setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on));
}

void datagram_set_connected(int fd, int family)
{
	static const int on = 1;

	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
	else
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on));
}

int batch_receive(struct datagram_batch *b, int fd)
{
	int n;

	for (unsigned i = 0; i < DATAGRAM_BATCH; i++) {
		b->iov[i].iov_base = b->data + (size_t)i * DATAGRAM_BYTES_MAX;
		b->iov[i].iov_len = DATAGRAM_BYTES_MAX;
		b->in[i].msg_hdr = (struct msghdr){
			.msg_name = &b->from[i],
			.msg_namelen = sizeof(b->from[i]),
			.msg_iov = &b->iov[i],
			.msg_iovlen = 1,
			.msg_control = &b->control[i],
			.msg_controllen = sizeof(b->control[i]),
		};
	}
	n = recvmmsg(fd, b->in, DATAGRAM_BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		b->got[i] = (struct datagram){.data = b->iov[i].iov_base, .len = b->in[i].msg_len};
		b->iov[i].iov_len = b->in[i].msg_len;
		memset(&b->local[i], 0, sizeof(b->local[i]));
		control_read(&b->in[i].msg_hdr, &b->local[i], &b->got[i].segment);
	}
	return n;
}

static void add_control(struct msghdr *m, int level, int type, const void *value, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)m->msg_control + m->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), value, len);
	m->msg_controllen += CMSG_SPACE(len);
}

static void add_route(struct msghdr *m, const struct datagram_route *route)
{
	m->msg_name = (void *)route->to;
	m->msg_namelen = addr_len(route->to);
	if (route->to->sa.sa_family == AF_INET) {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, &route->from->s6_addr[12], sizeof(info.ipi_spec_dst));
		add_control(m, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	} else {
		struct in6_pktinfo info = {.ipi6_addr = *route->from};

		/* RFC 4007: a link-local source means nothing without its link. */
		if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
			info.ipi6_ifindex = route->to->v6.sin6_scope_id;
		add_control(m, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
}

static void make_message(struct msghdr *m, union datagram_control *space, struct iovec *iov,
			 const struct datagram *d, const struct datagram_route *route)
{
	*m = (struct msghdr){.msg_iov = iov, .msg_iovlen = 1, .msg_control = space};
	if (route)
		add_route(m, route);
	if (d->segment && d->len > d->segment)
		add_control(m, SOL_UDP, UDP_SEGMENT, &d->segment, sizeof(d->segment));
	if (!m->msg_controllen)
		m->msg_control = NULL;
}

/* Whether the socket is fine and only this buffer is lost: a full queue, or too large for the way. */
static bool is_loss(int err)
{
	return err == EAGAIN || err == ENOBUFS || err == EMSGSIZE;
}

/* One by one what cannot be sent joined: larger than the way's MTU, or no help by the device. */
static int send_apart(struct datagram_sent *sent, int fd, const struct datagram *d,
		      const struct datagram_route *route)
{
	for (size_t at = 0; at < d->len; at += d->segment) {
		size_t left = d->len - at, len = left < d->segment ? left : d->segment;
		struct datagram one = {.data = d->data + at, .len = len};
		struct iovec iov = {.iov_base = (void *)one.data, .iov_len = len};
		union datagram_control space;
		struct msghdr m;

		make_message(&m, &space, &iov, &one, route);
		if (sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
			sent->bytes += len;
			sent->datagrams++;
		} else if (is_loss(errno)) {
			sent->dropped++;
		} else {
			return errno;
		}
	}
	return 0;
}

static void note_sent(struct datagram_sent *sent, const struct datagram *d)
{
	sent->bytes += d->len;
	sent->datagrams += datagram_count(d);
	sent->done++;
}

/* What to make of an error at buffer @d. Returns 0 to go on with the next one. */
static int after_error(struct datagram_sent *sent, int err, int fd, const struct datagram *d,
		       const struct datagram_route *route)
{
	if (err == EINTR)
		return 0;
	/* udp(7): EINVAL, EIO and EMSGSIZE say that these segments cannot be sent as one. */
	if (d->segment && d->len > d->segment && err != EAGAIN && err != ENOBUFS &&
	    (err == EINVAL || err == EIO || err == EMSGSIZE || err == EOPNOTSUPP)) {
		err = send_apart(sent, fd, d, route);
	} else if (is_loss(err)) {
		sent->dropped += datagram_count(d);
		err = 0;
	}
	if (!err)
		sent->done++;
	return err;
}

struct datagram_sent batch_send(struct datagram_batch *b, unsigned first, unsigned n, int fd,
				const struct datagram_route *route)
{
	struct datagram_sent sent = {0};

	for (unsigned i = 0; i < n; i++)
		make_message(&b->out[i].msg_hdr, &b->out_control[i], &b->iov[first + i],
			     &b->got[first + i], route);
	while (sent.done < n && !sent.err) {
		int r = sendmmsg(fd, &b->out[sent.done], n - sent.done,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (r < 0)
			sent.err = after_error(&sent, errno, fd, &b->got[first + sent.done], route);
		for (int i = 0; i < r; i++)
			note_sent(&sent, &b->got[first + sent.done]);
	}
	return sent;
}

struct datagram_sent datagram_send(int fd, const struct datagram *d)
{
	struct iovec iov = {.iov_base = (void *)d->data, .iov_len = d->len};
	struct datagram_sent sent = {0};
	union datagram_control space;
	struct msghdr m;

	make_message(&m, &space, &iov, d, NULL);
	while (!sent.done && !sent.err) {
		if (sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			note_sent(&sent, d);
		else
			sent.err = after_error(&sent, errno, fd, d, NULL);
	}
	return sent;
}

int datagram_icmp_error(int fd)
{
	int found = 0, err = 0, one;
	socklen_t len = sizeof(err);

	for (;;) {
		union {
			struct cmsghdr align;
			char space[512];
		} control;
		struct msghdr m = {.msg_control = &control, .msg_controllen = sizeof(control)};

		if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			break;
		one = control_icmp_error(&m);
		if (one)
			found = one;
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	/* "Prohibited" is EACCES, which of a local policy would be ours; this one came by ICMP. */
	return found == EACCES || found == EPERM ? EHOSTUNREACH : found;
}
