// SPDX-License-Identifier: MIT
/*
 * A line between two network namespaces that takes its time: a TUN device in each (with "tap" a TAP device:
 * Ethernet), and this program carries the packets between them. Unlike a veth, such a line has real checksums,
 * and who receives verifies them. Usage: link NETNS_A DEVICE_A NETNS_B DEVICE_B [SEED [tap]]
 * Prints {"event":"ready"}. Reads from stdin, while packets run,
 *   a|b|both DELAY_MS LOSS REORDER    of packets that leave A, B or both; loss and reorder of 1000
 * and answers {"event":"set", …} with how many packets were carried, lost and reordered each way so far.
 * A reordered packet takes half the delay (netem lets it overtake in the same way). Ends with stdin.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/base/clock.h"

#define PACKET_MAX  2048
#define PACKETS_MAX 65536 /* under way in one direction; more are lost, as in a full queue */

struct packet {
	uint64_t due_ns, number;
	size_t size;
	unsigned char *data;
};

/* One direction: a binary heap by due time, in order of arrival where that is equal. */
struct direction {
	int from, to;
	uint64_t delay_ns, arrived;
	unsigned loss, reorder; /* of 1000 */
	unsigned long carried, lost, reordered;
	unsigned n;
	struct packet *heap;
};

static void die(const char *what)
{
	fprintf(stderr, "link: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A TUN or TAP device of that name in that namespace; the descriptor works from anywhere. */
static int open_tun(const char *netns, const char *device, bool tap)
{
	struct ifreq ifr = {.ifr_flags = (short)((tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI)};
	char path[256];
	int ns, fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		die(path);
	close(ns);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		die("/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", device);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		die(device);
	return fd;
}

static bool before(const struct packet *a, const struct packet *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->number < b->number;
}

static void swap(struct packet *a, struct packet *b)
{
	struct packet t = *a;

	*a = *b;
	*b = t;
}

static void push(struct direction *d, const struct packet *p)
{
	unsigned i = d->n++;

	d->heap[i] = *p;
	for (; i && before(&d->heap[i], &d->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&d->heap[i], &d->heap[(i - 1) / 2]);
}

static struct packet pop(struct direction *d)
{
	struct packet top = d->heap[0];
	unsigned i = 0, child;

	d->heap[0] = d->heap[--d->n];
	while ((child = 2 * i + 1) < d->n) {
		if (child + 1 < d->n && before(&d->heap[child + 1], &d->heap[child]))
			child++;
		if (!before(&d->heap[child], &d->heap[i]))
			break;
		swap(&d->heap[child], &d->heap[i]);
		i = child;
	}
	return top;
}

static bool chance(unsigned of_1000)
{
	return of_1000 && (unsigned)(random() % 1000) < of_1000;
}

static void take_in(struct direction *d)
{
	unsigned char buf[PACKET_MAX];
	ssize_t size;

	while ((size = read(d->from, buf, sizeof(buf))) > 0) {
		struct packet p = {.due_ns = clock_mono_ns() + d->delay_ns,
				   .number = d->arrived++,
				   .size = (size_t)size};

		if (d->n == PACKETS_MAX || chance(d->loss)) {
			d->lost++;
			continue;
		}
		if (chance(d->reorder)) {
			p.due_ns -= d->delay_ns / 2;
			d->reordered++;
		}
		p.data = malloc(p.size);
		if (!p.data)
			die("memory");
		memcpy(p.data, buf, p.size);
		push(d, &p);
	}
}

static void let_out(struct direction *d, uint64_t now)
{
	while (d->n && d->heap[0].due_ns <= now) {
		struct packet p = pop(d);

		if (write(d->to, p.data, p.size) == (ssize_t)p.size)
			d->carried++;
		else
			d->lost++;
		free(p.data);
	}
}

static int wait_ms(const struct direction *d, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < 2; i++)
		if (d[i].n && d[i].heap[0].due_ns < next)
			next = d[i].heap[0].due_ns;
	if (next == UINT64_MAX)
		return -1;
	return next <= now ? 0 : (int)((next - now + NS_PER_MS - 1) / NS_PER_MS);
}

static bool obey(struct direction *d)
{
	char line[128], who[8];
	double delay_ms;
	unsigned loss, reorder;

	if (!fgets(line, sizeof(line), stdin))
		return false;
	if (sscanf(line, "%7s %lf %u %u", who, &delay_ms, &loss, &reorder) != 4) {
		fprintf(stderr, "link: what is '%s'?\n", line);
		return false;
	}
	for (int i = 0; i < 2; i++) {
		if (strcmp(who, "both") && strcmp(who, i ? "b" : "a"))
			continue;
		d[i].delay_ns = (uint64_t)(delay_ms * NS_PER_MS);
		d[i].loss = loss;
		d[i].reorder = reorder;
	}
	printf("{\"event\":\"set\"");
	for (int i = 0; i < 2; i++)
		printf(",\"%s\":[%lu,%lu,%lu]", i ? "b" : "a", d[i].carried, d[i].lost,
		       d[i].reordered);
	printf("}\n");
	return true;
}

int main(int argc, char **argv)
{
	struct direction d[2] = {{.n = 0}, {.n = 0}};
	bool tap = argc > 6 && !strcmp(argv[6], "tap");
	int a, b;

	if (argc < 5) {
		fprintf(stderr, "usage: link NETNS_A DEVICE_A NETNS_B DEVICE_B [SEED [tap]]\n");
		return 2;
	}
	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	srandom(argc > 5 ? (unsigned)atoi(argv[5]) : 1);
	a = open_tun(argv[1], argv[2], tap);
	b = open_tun(argv[3], argv[4], tap);
	for (int i = 0; i < 2; i++) {
		d[i].from = i ? b : a;
		d[i].to = i ? a : b;
		d[i].heap = calloc(PACKETS_MAX, sizeof(*d[i].heap));
		if (!d[i].heap)
			die("memory");
	}
	printf("{\"event\":\"ready\"}\n");
	for (;;) {
		struct pollfd p[3] = {{.fd = a, .events = POLLIN},
				      {.fd = b, .events = POLLIN},
				      {.fd = 0, .events = POLLIN}};

		if (poll(p, 3, wait_ms(d, clock_mono_ns())) < 0 && errno != EINTR)
			die("poll");
		for (int i = 0; i < 2; i++) {
			take_in(&d[i]);
			let_out(&d[i], clock_mono_ns());
		}
		if (p[2].revents && !obey(d))
			return 0;
	}
}
