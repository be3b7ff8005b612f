// SPDX-License-Identifier: MIT
/* What the kernel says beside a datagram: read whole, and nothing of what was cut off. */
#include <errno.h>
#include <time.h>

#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "edge/flow/control.h"

static union {
	struct cmsghdr align;
	char space[512];
} room;

static void add(struct msghdr *m, int level, int type, const void *value, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)(room.space + m->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), value, len);
	m->msg_controllen += CMSG_SPACE(len);
}

static void test_local_and_segment(void **state)
{
	struct msghdr m = {.msg_control = &room};
	struct in_pktinfo v4 = {.ipi_spec_dst.s_addr = htonl(0xc0000201)};
	struct in6_addr local = {0};
	uint16_t segment = 0;
	int size = 1200;

	add(&m, SOL_UDP, UDP_GRO, &size, sizeof(size));
	add(&m, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4));
	control_read(&m, &local, &segment);
	assert_int_equal(segment, 1200);
	assert_true(IN6_IS_ADDR_V4MAPPED(&local));
	assert_memory_equal(&local.s6_addr[12], &v4.ipi_spec_dst, 4);
	/* Half a message, as where there was no room for it, says nothing. */
	for (size_t cut = m.msg_controllen - CMSG_SPACE(sizeof(v4)); cut < m.msg_controllen;
	     cut++) {
		struct msghdr part = {.msg_control = &room, .msg_controllen = cut};

		memset(&local, 7, sizeof(local));
		control_read(&part, &local, &segment);
		if (cut < m.msg_controllen - CMSG_SPACE(sizeof(v4)) + CMSG_LEN(sizeof(v4)))
			assert_int_equal(local.s6_addr[0], 7);
	}
}

static void test_sizes_that_are_none(void **state)
{
	static const int sizes[] = {0, -1, 65536, INT32_MIN};

	for (size_t i = 0; i < 4; i++) {
		struct msghdr m = {.msg_control = &room};
		struct in6_addr local;
		uint16_t segment = 0;

		add(&m, SOL_UDP, UDP_GRO, &sizes[i], sizeof(sizes[i]));
		control_read(&m, &local, &segment);
		assert_int_equal(segment, 0);
	}
}

static int error_of(int origin, unsigned errnum)
{
	struct msghdr m = {.msg_control = &room};
	struct sock_extended_err e = {.ee_errno = errnum, .ee_origin = (uint8_t)origin};

	add(&m, IPPROTO_IPV6, IPV6_RECVERR, &e, sizeof(e));
	return control_icmp_error(&m);
}

static void test_errors(void **state)
{
	assert_int_equal(error_of(SO_EE_ORIGIN_ICMP6, ECONNREFUSED), ECONNREFUSED);
	assert_int_equal(error_of(SO_EE_ORIGIN_ICMP, EHOSTUNREACH), EHOSTUNREACH);
	assert_int_equal(error_of(SO_EE_ORIGIN_LOCAL, ECONNREFUSED), 0);
	assert_int_equal(error_of(SO_EE_ORIGIN_ICMP, EMSGSIZE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_local_and_segment),
		cmocka_unit_test(test_sizes_that_are_none),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
