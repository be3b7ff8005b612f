// SPDX-License-Identifier: MIT
/* Clients on long-lived connections: bulk, ping and hold. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "selftests/bench/load.h"

/* A blocking connection whose service is chosen; -1 with errno set when it failed. */
static int open_stream(const struct load_options *opt, char service)
{
	int err, fd = net_connect(&opt->to, true, &err);

	if (fd >= 0 && !err && send(fd, &service, 1, MSG_NOSIGNAL) == 1)
		return fd;
	if (fd >= 0)
		close(fd);
	errno = err ? err : errno;
	return -1;
}

/* Opens opt->concurrency of them; exits on failure, since a sample with fewer would be another one. */
static int *open_streams(const struct load_options *opt, char service)
{
	int *fds = calloc((size_t)opt->concurrency, sizeof(*fds));

	for (int i = 0; i < opt->concurrency; i++) {
		char answer;

		fds[i] = open_stream(opt, service);
		if (fds[i] < 0)
			exit(die("connect"));
		if (service == SVC_ECHO && recv(fds[i], &answer, 1, 0) != 1)
			exit(die("first answer"));
	}
	return fds;
}

int verb_bulk(const struct load_options *opt)
{
	int *fds = open_streams(opt, opt->upload ? SVC_SINK : SVC_SOURCE);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	char *buffer = calloc(1, LOAD_BUFFER);
	struct epoll_event events[64];
	struct sample s;

	for (int i = 0; i < opt->concurrency; i++)
		net_want(epoll, EPOLL_CTL_ADD, fds[i], opt->upload ? EPOLLOUT : EPOLLIN);
	sample_begin(&s, opt);
	while (sample_goes_on(&s, clock_mono_ns())) {
		int n = epoll_wait(epoll, events, 64, 100);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			ssize_t got;

			if (opt->upload)
				got = send(fd, buffer, LOAD_BUFFER, MSG_NOSIGNAL | MSG_DONTWAIT);
			else /* discarded in the kernel, as the backend's sink does */
				got = recv(fd, buffer, LOAD_BUFFER, MSG_TRUNC | MSG_DONTWAIT);
			if (got > 0)
				s.bytes += (uint64_t)got;
			else if (got == 0 || errno != EAGAIN)
				return die("stream ended");
		}
	}
	return sample_print(&s);
}

/* One message out; exits when the socket doesn't take it whole. */
static void ask(int fd, const char *message, size_t size)
{
	if (send(fd, message, size, MSG_NOSIGNAL) != (ssize_t)size)
		exit(die("send"));
}

/* Closed loop on one blocking connection: no epoll between the client and what it measures. */
static int ping_one(const struct load_options *opt, int fd, char *buffer)
{
	size_t size = (size_t)opt->size;
	uint64_t start = clock_mono_ns();
	struct sample s;

	sample_begin(&s, opt);
	while (sample_goes_on(&s, start)) {
		uint64_t now;

		start = clock_mono_ns();
		ask(fd, buffer, size);
		if (recv(fd, buffer, size, MSG_WAITALL) != (ssize_t)size)
			return die("recv");
		now = clock_mono_ns();
		s.ops++;
		sample_latency(&s, now - start);
		start = now;
	}
	return sample_print(&s);
}

static int ping_many(const struct load_options *opt, const int *fds, char *buffer)
{
	struct in_flight {
		uint64_t sent_at;
		size_t missing;
	} *flight = calloc(1 << 16, sizeof(*flight)); /* by fd */
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[64];
	struct sample s;

	sample_begin(&s, opt);
	for (int i = 0; i < opt->concurrency; i++) {
		flight[fds[i]] = (struct in_flight){clock_mono_ns(), (size_t)opt->size};
		net_want(epoll, EPOLL_CTL_ADD, fds[i], EPOLLIN);
		ask(fds[i], buffer, (size_t)opt->size);
	}
	while (sample_goes_on(&s, clock_mono_ns())) {
		int n = epoll_wait(epoll, events, 64, 100);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			struct in_flight *f = &flight[fd];
			ssize_t got = recv(fd, buffer, f->missing, MSG_DONTWAIT);
			uint64_t now = clock_mono_ns();

			if (got <= 0)
				return die("recv");
			f->missing -= (size_t)got;
			if (f->missing)
				continue;
			s.ops++;
			sample_latency(&s, now - f->sent_at);
			*f = (struct in_flight){now, (size_t)opt->size};
			ask(fd, buffer, (size_t)opt->size);
		}
	}
	free(flight);
	return sample_print(&s);
}

int verb_ping(const struct load_options *opt)
{
	int *fds = open_streams(opt, SVC_ECHO);
	char *buffer = calloc(1, LOAD_BUFFER);

	return opt->concurrency == 1 ? ping_one(opt, fds[0], buffer) : ping_many(opt, fds, buffer);
}

int verb_hold(const struct load_options *opt)
{
	int *fds = open_streams(opt, SVC_ECHO);
	char c;

	printf("{\"held\":%d}\n", opt->concurrency);
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	for (int i = 0; i < opt->concurrency; i++)
		close(fds[i]);
	free(fds);
	return 0;
}
