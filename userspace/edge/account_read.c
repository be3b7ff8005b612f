// SPDX-License-Identifier: MIT
/* Reading what the kernel counted: refreshes of open connections, records, events. */
#include "edge/account_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"

#define REFRESH_INTERVAL_NS (250 * NS_PER_MS)

int account_iterate(struct bpf_link *link, void **out, size_t *len)
{
	int fd = bpf_iter_create(bpf_link__fd(link));
	char *data = NULL;
	size_t n = 0, size = 0;
	int rc = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t got;

		if (size - n < 4096) {
			char *more = realloc(data, size = size ? 2 * size : 16384);

			if (!more) {
				rc = -ENOMEM;
				break;
			}
			data = more;
		}
		got = read(fd, data + n, size - n);
		/* EAGAIN: it has walked a million sockets in one call; the next goes on from there. */
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0) {
			rc = got ? -errno : 0;
			break;
		}
		n += out ? (size_t)got : 0;
	}
	close(fd);
	if (out && !rc) {
		*out = data;
		*len = n;
	} else {
		free(data);
	}
	return rc;
}

/* Waits for the end of another's refresh or for the next one to be due. Under the lock. */
static void wait_for_refresh(struct account *a, uint64_t until_ns)
{
	struct timespec t = {.tv_sec = (time_t)(until_ns / NS_PER_SEC),
			     .tv_nsec = (long)(until_ns % NS_PER_SEC)};

	if (a->refreshing)
		pthread_cond_wait(&a->refreshed, &a->lock);
	else
		pthread_cond_timedwait(&a->refreshed, &a->lock, &t);
}

int account_refresh(struct account *a, uint64_t not_before_ns)
{
	int rc;

	if (a->mode != ACCOUNT_BPF)
		return 0;
	pthread_mutex_lock(&a->lock);
	if (!a->refresh) {
		account_collect(a);
		pthread_mutex_unlock(&a->lock);
		return 0;
	}
	while (!a->refresh_done_ns || a->refresh_done_ns < not_before_ns) {
		uint64_t now = clock_mono_ns();

		if (a->refreshing || now < a->refresh_due_ns) {
			wait_for_refresh(a, a->refresh_due_ns);
			continue;
		}
		a->refreshing = true;
		/* After a pause one may follow another at once: an operator's question just after
		 * the periodic report would otherwise wait. */
		if (a->refresh_due_ns + REFRESH_INTERVAL_NS < now)
			a->refresh_due_ns = now - REFRESH_INTERVAL_NS;
		a->refresh_due_ns += REFRESH_INTERVAL_NS;
		pthread_mutex_unlock(&a->lock);
		rc = account_iterate(a->refresh, NULL, NULL);
		pthread_mutex_lock(&a->lock);
		a->refreshing = false;
		a->refresh_error = rc;
		a->refresh_done_ns = now;
		pthread_cond_broadcast(&a->refreshed);
		account_collect(a);
		/* A request from the future would otherwise wait for its time. */
		break;
	}
	rc = a->refresh_error;
	pthread_mutex_unlock(&a->lock);
	return rc;
}

void account_record_of(const struct account_target *t, struct account_record *out)
{
	out->bytes_in = t->bytes_in;
	out->bytes_out = t->bytes_out;
	out->received_in = t->received_in;
	out->received_out = t->received_out;
	out->attempted = t->attempted;
	out->ok = t->ok;
	out->failed = t->failed;
	out->aborted = t->aborted;
	out->active = t->active;
	out->resets = t->resets;
	out->retransmits = t->retransmits;
	out->srtt_us = t->srtt_us;
	out->connect_us = t->connect_us;
	out->connect_us_sum = t->connect_us_sum;
	out->connect_us_max = t->connect_us_max;
	_Static_assert(sizeof(out->connect_hist) == sizeof(t->connect_hist), "histogram");
	memcpy(out->connect_hist, t->connect_hist, sizeof(out->connect_hist));
	out->last_errno = (int)t->last_errno;
}

int account_read(struct account *a, uint64_t slot, struct account_record *out)
{
	struct account_target t;

	memset(out, 0, sizeof(*out));
	if (a->mode != ACCOUNT_BPF || !slot)
		return -ENOENT;
	if (bpf_map_lookup_elem(a->targets_fd, &slot, &t))
		return -errno;
	account_record_of(&t, out);
	return 0;
}

int account_event_fd(const struct account *a)
{
	return a->mode == ACCOUNT_BPF ? ring_buffer__epoll_fd(a->events) : -1;
}

void account_poll(struct account *a)
{
	if (a->mode == ACCOUNT_BPF)
		ring_buffer__consume(a->events);
}
