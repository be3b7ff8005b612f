// SPDX-License-Identifier: MIT
/* Datagrams from as many forged sources as asked for: udp_flood ADDRESS PORT COUNT, from 10.200.0.0/13 on. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 256, PAYLOAD = 8 };

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	char payload[PAYLOAD];
};

static void fill(struct packet *p, const struct sockaddr_in *to, unsigned n)
{
	memset(p, 0, sizeof(*p));
	p->ip.version = 4;
	p->ip.ihl = 5;
	p->ip.ttl = 64;
	p->ip.protocol = IPPROTO_UDP;
	p->ip.tot_len = htons(sizeof(*p));
	p->ip.saddr = htonl(0x0ac80000u + (n & 0x7ffff)); /* half a million addresses … */
	p->ip.daddr = to->sin_addr.s_addr;
	p->udp.source = htons((uint16_t)(1024 + (n >> 19))); /* … and then the next port */
	p->udp.dest = to->sin_port;
	p->udp.len = htons(sizeof(p->udp) + PAYLOAD);
}

int main(int argc, char **argv)
{
	static struct packet packets[BATCH];
	static struct iovec iov[BATCH];
	static struct mmsghdr messages[BATCH];
	struct sockaddr_in to = {.sin_family = AF_INET};
	unsigned count, sent = 0;
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || fd < 0) {
		fprintf(stderr, "usage: udp_flood ADDRESS PORT COUNT, as root (%s)\n",
			strerror(errno));
		return 2;
	}
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	count = (unsigned)strtoul(argv[3], NULL, 10);
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){&packets[i], sizeof(packets[i])};
		messages[i].msg_hdr = (struct msghdr){.msg_name = &to,
						      .msg_namelen = sizeof(to),
						      .msg_iov = &iov[i],
						      .msg_iovlen = 1};
	}
	while (sent < count) {
		int n, want = count - sent < BATCH ? (int)(count - sent) : BATCH;

		for (int i = 0; i < want; i++)
			fill(&packets[i], &to, sent + (unsigned)i);
		n = sendmmsg(fd, messages, (unsigned)want, 0);
		if (n < 0 && errno != ENOBUFS) {
			perror("sendmmsg");
			return 1;
		}
		sent += n > 0 ? (unsigned)n : 0;
	}
	printf("%u\n", sent);
	return 0;
}
