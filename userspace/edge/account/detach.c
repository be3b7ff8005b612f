// SPDX-License-Identifier: MIT
/* Taking the programs off the cgroup when no socket needs them any more. */
#include "edge/account/detach.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

#include "edge/account/iterate.h"
#include "edge/account/leftovers.h"
#include "edge/account/pins.h"
#include "lib/base/clock.h"

/* Two ends on one host acknowledge each other's FIN at once; beyond that a network is waited for. */
#define WAIT_NS (500 * NS_PER_MS)
#define POLL_NS (20 * NS_PER_MS)

static int sockets_now(int tagged_link_fd)
{
	struct account_in_use used;
	int n = account_in_use_read(tagged_link_fd, &used);

	if (n)
		return n;
	n = used.n > INT_MAX ? INT_MAX : (int)used.n;
	account_in_use_free(&used);
	return n;
}

int account_detach_idle(const struct account_pins *pins, int tagged_link_fd)
{
	static const struct timespec pause = {.tv_nsec = POLL_NS};
	uint64_t until = clock_mono_ns() + WAIT_NS;
	int n;

	if (tagged_link_fd < 0)
		return -EOPNOTSUPP;
	while ((n = sockets_now(tagged_link_fd)) > 0 && clock_mono_ns() < until)
		nanosleep(&pause, NULL);
	if (n)
		return n;
	account_pins_unlink(pins, "connections");
	account_leftovers_drop_links(pins);
	n = account_pins_unlink(pins, "link");
	return n == -ENOENT ? 0 : n;
}
