// SPDX-License-Identifier: MIT
/*
 * Any bytes as what the kernel says beside a datagram and in a socket's error queue: nothing is read behind
 * them, and what is understood makes a reply that fits its room.
 */
#include "edge/flow/control.c"
#include "edge/flow/datagram.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The reply to a datagram of which that was said. */
static void reply(const struct in6_addr *local, uint16_t segment, size_t len)
{
	static const uint8_t bytes[4096];
	struct datagram d = {.data = bytes, .len = len, .segment = segment};
	union addr to = {.sa.sa_family = IN6_IS_ADDR_V4MAPPED(local) ? AF_INET : AF_INET6};
	struct datagram_route route = {.to = &to, .from = local};
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
	union datagram_control *space = malloc(sizeof(*space));
	struct msghdr m;
	struct in6_addr from = *local;
	uint16_t back = 0;

	make_message(&m, space, &iov, &d, &route);
	if (m.msg_controllen > sizeof(*space))
		abort();
	if (!len ? datagram_count(&d) != 1
		 : segment && datagram_count(&d) != (len + segment - 1) / segment)
		abort();
	/* An answer's own control messages are read as well as any. */
	control_read(&m, &from, &back);
	if (memcmp(&from, local, sizeof(from)))
		abort();
	free(space);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct in6_addr local = {0};
	uint16_t segment = 0;
	void *control;
	struct msghdr m;

	if (size < 2 || size > 1024)
		return 0;
	/* Of just that size: a byte read behind it is found. */
	control = malloc(size - 1);
	memcpy(control, data + 1, size - 1);
	m = (struct msghdr){.msg_control = control, .msg_controllen = size - 1};
	control_read(&m, &local, &segment);
	reply(&local, segment, (size_t)data[0] * 16);
	if (control_icmp_error(&m) == EMSGSIZE)
		abort();
	free(control);
	return 0;
}
