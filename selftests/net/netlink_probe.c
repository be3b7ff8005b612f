// SPDX-License-Identifier: MIT
/* Prints "ready", then the milliseconds since its start each time the network has changed, until
 * stdin ends: what test_netlink reads. */
#include <event2/event.h>
#include <stdio.h>
#include <unistd.h>

#include "edge/watch/netlink.h"
#include "lib/base/clock.h"

struct probe {
	struct event_base *base;
	uint64_t start;
};

static void on_changed(void *arg)
{
	struct probe *p = arg;

	printf("%llu\n", (unsigned long long)((clock_mono_ns() - p->start) / NS_PER_MS));
	fflush(stdout);
}

static void on_stdin(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;
	char buf[64];

	if (read(fd, buf, sizeof(buf)) <= 0)
		event_base_loopbreak(p->base);
}

int main(void)
{
	struct probe p = {.base = event_base_new(), .start = clock_mono_ns()};
	struct event *in = event_new(p.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_stdin, &p);
	struct netlink *n = netlink_new(p.base, on_changed, &p);

	if (!n) {
		perror("netlink_probe");
		return 1;
	}
	event_add(in, NULL);
	printf("ready\n");
	fflush(stdout);
	event_base_dispatch(p.base);
	netlink_free(n);
	event_free(in);
	event_base_free(p.base);
	return 0;
}
