// SPDX-License-Identifier: MIT
/* The ring between those who log and the thread that writes. */
#include "lib/base/log_ring.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Room for the lines of some 10,000 rules that are activated at once. Pages are touched as needed. */
#define RING_BYTES  (4u << 20)
#define WRITE_BYTES (64u << 10) /* at a time: what a pipe takes */
#define LINE_BYTES  4096u

enum mode {
	MODE_DIRECT,  /* each thread writes its own lines */
	MODE_RING,    /* the thread writes */
	MODE_STOPPED, /* what stderr takes without waiting */
};

/* @lock guards all but @mode and @dropped. @head and @tail count bytes; their difference is the fill. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	char *bytes;
	size_t head, tail;
	uint64_t untold; /* dropped since the last notice; lines are dropped until it is out */
	bool running;	 /* the thread has begun */
	log_ring_notice notice;
	atomic_int mode;
	atomic_ullong dropped;
} ring = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void put_bytes(const char *line, size_t len)
{
	size_t at = ring.head % RING_BYTES;
	size_t first = RING_BYTES - at < len ? RING_BYTES - at : len;

	memcpy(ring.bytes + at, line, first);
	memcpy(ring.bytes, line + first, len - first);
	ring.head += len;
}

/* Says how many lines are missing, once half of the ring is free again. */
static void put_notice(void)
{
	char line[LINE_BYTES];

	if (!ring.untold || ring.head - ring.tail > RING_BYTES / 2)
		return;
	put_bytes(line, ring.notice(line, sizeof(line), ring.untold));
	ring.untold = 0;
}

/* Nobody can be told that stderr is gone: what cannot be written is lost. */
static size_t write_some(const struct iovec *iov, int n, size_t len)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	for (;;) {
		ssize_t written = writev(STDERR_FILENO, iov, n);

		if (written >= 0)
			return (size_t)written;
		/* Somebody else may have made the open file non-blocking. */
		if (errno == EAGAIN)
			poll(&p, 1, -1);
		else if (errno != EINTR)
			return len;
	}
}

static void *writer(void *arg)
{
	pthread_setname_np(pthread_self(), "log");
	pthread_mutex_lock(&ring.lock);
	ring.running = true;
	pthread_cond_broadcast(&ring.emptied);
	for (;;) {
		size_t at = ring.tail % RING_BYTES, len = ring.head - ring.tail;
		struct iovec iov[2];

		if (!len) {
			/* From the beginning: a quiet process uses only the first pages. */
			ring.head = ring.tail = 0;
			pthread_cond_broadcast(&ring.emptied);
			pthread_cond_wait(&ring.filled, &ring.lock);
			continue;
		}
		if (len > WRITE_BYTES)
			len = WRITE_BYTES;
		iov[0].iov_base = ring.bytes + at;
		iov[0].iov_len = RING_BYTES - at < len ? RING_BYTES - at : len;
		iov[1].iov_base = ring.bytes;
		iov[1].iov_len = len - iov[0].iov_len;
		pthread_mutex_unlock(&ring.lock);
		len = write_some(iov, iov[1].iov_len ? 2 : 1, len);
		pthread_mutex_lock(&ring.lock);
		ring.tail += len;
		put_notice();
	}
	return NULL;
}

static void before_fork(void)
{
	pthread_mutex_lock(&ring.lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&ring.lock);
}

/* The parent's thread writes what is in the ring; the child has none. */
static void in_child(void)
{
	ring.head = ring.tail = 0;
	ring.untold = 0;
	ring.running = false;
	atomic_store(&ring.mode, MODE_DIRECT);
	atomic_store(&ring.dropped, 0);
	pthread_mutex_init(&ring.lock, NULL);
}

int log_ring_start(log_ring_notice notice)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_condattr_t clock;
	pthread_t thread;
	int err;

	if (atomic_load(&ring.mode) == MODE_RING)
		return 0;
	if (!ring.bytes) {
		ring.bytes = malloc(RING_BYTES);
		if (!ring.bytes || pthread_atfork(before_fork, in_parent, in_child))
			return -ENOMEM;
	}
	ring.notice = notice;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&ring.filled, NULL);
	pthread_cond_init(&ring.emptied, &clock);
	/* Detached: it may be in a write(2) that never ends when the process does. */
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attr, writer, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (err)
		return -err;
	/* A thread that is being born may hold locks of the C library, or of a sanitizer's, which a fork
	 * that comes right after this would copy. */
	pthread_mutex_lock(&ring.lock);
	while (!ring.running)
		pthread_cond_wait(&ring.emptied, &ring.lock);
	pthread_mutex_unlock(&ring.lock);
	atomic_store(&ring.mode, MODE_RING);
	return 0;
}

static void put_in_ring(const char *line, size_t len)
{
	pthread_mutex_lock(&ring.lock);
	if (ring.untold || ring.head - ring.tail + len + LINE_BYTES > RING_BYTES) {
		ring.untold++;
		atomic_fetch_add(&ring.dropped, 1);
	} else {
		put_bytes(line, len);
		pthread_cond_signal(&ring.filled);
	}
	pthread_mutex_unlock(&ring.lock);
}

void log_ring_put(const char *line, size_t len)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	int mode = atomic_load(&ring.mode);

	if (mode == MODE_RING)
		put_in_ring(line, len);
	/* A pipe that is writable takes a line (PIPE_BUF). */
	else if (mode == MODE_STOPPED && (poll(&p, 1, 0) < 1 || !(p.revents & POLLOUT)))
		atomic_fetch_add(&ring.dropped, 1);
	else if (write(STDERR_FILENO, line, len) < 0)
		return;
}

void log_ring_stop(unsigned ms)
{
	struct timespec until;

	if (atomic_load(&ring.mode) != MODE_RING)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&ring.lock);
	while (ring.head != ring.tail &&
	       pthread_cond_timedwait(&ring.emptied, &ring.lock, &until) != ETIMEDOUT)
		;
	atomic_store(&ring.mode, MODE_STOPPED);
	pthread_mutex_unlock(&ring.lock);
}

uint64_t log_ring_dropped(void)
{
	return atomic_load(&ring.dropped);
}
