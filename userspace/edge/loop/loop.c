// SPDX-License-Identifier: MIT
/* The event loop of a worker: epoll, timers, jobs from other threads, work that was put off. */
#include "edge/loop/loop.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"

#define BATCH_MAX  256
#define ROUNDS_MAX 16

void *io_alloc(size_t size)
{
	size_t whole = (size + IO_ALIGN - 1) & ~(size_t)(IO_ALIGN - 1);
	void *p = aligned_alloc(IO_ALIGN, whole);

	return p ? memset(p, 0, whole) : NULL;
}

/* The mailbox's fd has no object: the null pointer stands for it. */
int loop_init(struct loop *l)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0};
	int err;

	memset(l, 0, sizeof(*l));
	TAILQ_INIT(&l->work);
	l->now_ns = clock_mono_ns();
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		return -errno;
	err = mailbox_init(&l->mailbox);
	if (err)
		goto err_epoll;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->mailbox.fd, &ev) < 0) {
		err = -errno;
		goto err_mailbox;
	}
	return 0;

err_mailbox:
	mailbox_close(&l->mailbox);
err_epoll:
	close(l->epoll_fd);
	return err;
}

static void free_deferred(struct loop *l)
{
	while (!SLIST_EMPTY(&l->deferred)) {
		struct deferred_free *deferred = SLIST_FIRST(&l->deferred);

		SLIST_REMOVE_HEAD(&l->deferred, entry);
		deferred->free(deferred);
	}
}

void loop_close(struct loop *l)
{
	mailbox_close(&l->mailbox);
	free_deferred(l);
	timer_heap_free(&l->timers);
	close(l->epoll_fd);
}

static int control(struct loop *l, int op, int fd, struct io *io, unsigned slot, uint32_t events)
{
	struct epoll_event ev = {
		.events = events,
		.data.u64 = (uint64_t)(uintptr_t)io | slot,
	};

	return epoll_ctl(l->epoll_fd, op, fd, &ev) < 0 ? -errno : 0;
}

int loop_add(struct loop *l, int fd, struct io *io, unsigned slot, uint32_t events)
{
	return control(l, EPOLL_CTL_ADD, fd, io, slot, events);
}

int loop_move(struct loop *l, int fd, struct io *io, unsigned slot, uint32_t events)
{
	return control(l, EPOLL_CTL_MOD, fd, io, slot, events);
}

void loop_work(struct loop *l, struct work *work)
{
	if (work->entry.tqe_prev)
		return;
	TAILQ_INSERT_TAIL(&l->work, work, entry);
	l->n_work++;
}

void loop_work_cancel(struct loop *l, struct work *work)
{
	if (!work->entry.tqe_prev)
		return;
	TAILQ_REMOVE(&l->work, work, entry);
	work->entry.tqe_prev = NULL;
	l->n_work--;
}

/* One turn each for those queued now; those that queue themselves again come in the next round. */
static void run_work(struct loop *l)
{
	for (unsigned turns = l->n_work; turns && l->n_work; turns--) {
		struct work *w = TAILQ_FIRST(&l->work);

		loop_work_cancel(l, w);
		w->run(w);
	}
}

void loop_defer_free(struct loop *l, struct deferred_free *deferred,
		     void (*free)(struct deferred_free *))
{
	deferred->free = free;
	SLIST_INSERT_HEAD(&l->deferred, deferred, entry);
}

static int wait_ms(const struct loop *l)
{
	uint64_t next = timer_next(&l->timers), now;
	int most = l->wait_max_ms;

	if (l->n_work)
		return 0;
	if (next == UINT64_MAX)
		return most ? most : -1;
	now = clock_mono_ns();
	/* Rounded up: a timer never makes the loop spin for the rest of a millisecond. */
	if (next <= now)
		return 0;
	next = (next - now + NS_PER_MS - 1) / NS_PER_MS;
	if (!most)
		most = 60000;
	return next > (uint64_t)most ? most : (int)next;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}

/* Hands out one batch; returns its size. */
static int take_events(struct loop *l, int timeout_ms)
{
	struct epoll_event events[BATCH_MAX];
	bool mail = false;
	int n;

	loop_does(l, "waiting for events");
	if (l->on_turn && timeout_ms)
		l->on_turn(l->on_turn_arg, -1);
	/* EINTR is how a wait ends that was stopped or frozen meanwhile: what came then is there. */
	while ((n = epoll_wait(l->epoll_fd, events, BATCH_MAX, timeout_ms)) < 0 && errno == EINTR)
		timeout_ms = 0;
	loop_does(l, "handling events");
	l->batch = n;
	l->now_ns = clock_mono_ns();
	if (l->on_turn)
		l->on_turn(l->on_turn_arg, n > 0 ? n : 0);
	for (int i = 0; i < n; i++) {
		uint64_t data = events[i].data.u64;
		struct io *io = (struct io *)(uintptr_t)(data & ~(uint64_t)(IO_ALIGN - 1));

		if (io)
			io->event(io, data & (IO_ALIGN - 1), events[i].events);
		else
			mail = true;
	}
	if (mail) {
		loop_does(l, "running jobs");
		mailbox_run(&l->mailbox);
	}
	return n;
}

/*
 * Timers come after the events that wait, so that nobody is judged by time whose answer is here
 * already. A crowd that never ends holds them up for ROUNDS_MAX batches at most; so whoever judges by
 * time asks the socket as well.
 */
void loop_run(struct loop *l)
{
	while (!l->stop) {
		int n = take_events(l, wait_ms(l));

		for (int rounds = 1; n == BATCH_MAX && rounds < ROUNDS_MAX && !l->stop; rounds++) {
			free_deferred(l);
			n = take_events(l, 0);
		}
		loop_does(l, "firing timers");
		timer_fire_due(&l->timers, l->now_ns);
		loop_does(l, "going on with work");
		run_work(l);
		free_deferred(l);
	}
}
