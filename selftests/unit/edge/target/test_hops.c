// SPDX-License-Identifier: MIT
/* Which connections are recognised as the edge's own, and for how long. */
#include "edge/target/hops.h"
#include "selftests/unit/rig.h"

#define T0 (1000 * NS_PER_SEC)

/* The address that @fd is bound to, seen as the peer of a socket that listens on [::] or on 0.0.0.0. */
static union addr name_of(int fd, bool mapped)
{
	union addr a, m = {.v6.sin6_family = AF_INET6};
	socklen_t len = sizeof(a);

	assert_int_equal(getsockname(fd, &a.sa, &len), 0);
	if (!mapped)
		return a;
	m.v6.sin6_port = a.v4.sin_port;
	m.v6.sin6_addr.s6_addr[10] = m.v6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&m.v6.sin6_addr.s6_addr[12], &a.v4.sin_addr, 4);
	return m;
}

static void test_own_and_foreign(void **state)
{
	struct hops *h = hops_new();
	uint16_t port;
	int l = rig_listen(&port, 1), own = rig_connect(port, false), fd = accept(l, NULL, NULL);
	union addr a = name_of(own, false), m = name_of(own, true), other = a;
	union addr to = name_of(l, false);

	assert_int_equal(hops_passed(h, fd, &a, T0), 0);
	/* Nothing of ours listens where it goes. */
	hops_note(h, own, &to, 3, T0);
	assert_int_equal(hops_passed(h, fd, &a, T0), 0);
	hops_listen(h, port, 1);
	hops_note(h, own, &to, 3, T0);
	assert_int_equal(hops_passed(h, fd, &a, T0), 3);
	assert_int_equal(hops_passed(h, fd, &m, T0), 3);
	/* The same port of another address, another port of the same. */
	other.v4.sin_addr.s_addr = htonl(0x0a000001);
	assert_int_equal(hops_passed(h, fd, &other, T0), 0);
	other = a;
	other.v4.sin_port ^= 1;
	assert_int_equal(hops_passed(h, fd, &other, T0), 0);
	/* Later the port is another process's. */
	assert_int_equal(hops_passed(h, fd, &a, T0 + 20 * NS_PER_SEC), 3);
	assert_int_equal(hops_passed(h, fd, &a, T0 + 40 * NS_PER_SEC), 0);
	/* Ours went elsewhere: whoever comes here from that port is not us. */
	to.v4.sin_port = htons(port ^ 1);
	hops_listen(h, port ^ 1, 1);
	hops_note(h, own, &to, 3, T0);
	assert_int_equal(hops_passed(h, fd, &a, T0), 0);
	close(own);
	close(fd);
	close(l);
	hops_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_and_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
