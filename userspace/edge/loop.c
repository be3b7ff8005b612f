// SPDX-License-Identifier: MIT
/* The event loop of a worker: epoll, timers, jobs from other threads, work that was put off. */
#include "edge/loop.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"

#define BATCH_MAX 256

/* The mailbox's fd has no object: the null pointer stands for it. */
int loop_init(struct loop *l)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0};
	int err;

	memset(l, 0, sizeof(*l));
	l->work_tail = &l->work_head;
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

static void bury_all(struct loop *l)
{
	while (l->corpses) {
		struct corpse *c = l->corpses;

		l->corpses = c->next;
		c->bury(c);
	}
}

void loop_close(struct loop *l)
{
	mailbox_close(&l->mailbox);
	bury_all(l);
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
	if (work->prev)
		return;
	work->next = NULL;
	work->prev = l->work_tail;
	*l->work_tail = work;
	l->work_tail = &work->next;
	l->n_work++;
}

void loop_work_cancel(struct loop *l, struct work *work)
{
	if (!work->prev)
		return;
	*work->prev = work->next;
	if (work->next)
		work->next->prev = work->prev;
	else
		l->work_tail = work->prev;
	work->prev = NULL;
	l->n_work--;
}

/* One turn each for those queued now; those that queue themselves again come in the next round. */
static void run_work(struct loop *l)
{
	for (unsigned turns = l->n_work; turns && l->work_head; turns--) {
		struct work *w = l->work_head;

		loop_work_cancel(l, w);
		w->run(w);
	}
}

void loop_bury(struct loop *l, struct corpse *corpse, void (*bury)(struct corpse *))
{
	corpse->bury = bury;
	corpse->next = l->corpses;
	l->corpses = corpse;
}

static int wait_ms(const struct loop *l)
{
	uint64_t next = timer_next(&l->timers), now;

	if (l->work_head)
		return 0;
	if (next == UINT64_MAX)
		return -1;
	now = clock_mono_ns();
	/* Rounded up: a timer never makes the loop spin for the rest of a millisecond. */
	if (next <= now)
		return 0;
	next = (next - now + NS_PER_MS - 1) / NS_PER_MS;
	return next > 60000 ? 60000 : (int)next;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}

void loop_run(struct loop *l)
{
	struct epoll_event events[BATCH_MAX];

	while (!l->stop) {
		int n = epoll_wait(l->epoll_fd, events, BATCH_MAX, wait_ms(l));
		bool mail = false;

		l->batch = n;
		l->now_ns = clock_mono_ns();
		for (int i = 0; i < n; i++) {
			uint64_t data = events[i].data.u64;
			struct io *io = (struct io *)(uintptr_t)(data & ~(uint64_t)(IO_ALIGN - 1));

			if (io)
				io->event(io, data & (IO_ALIGN - 1), events[i].events);
			else
				mail = true;
		}
		if (mail)
			mailbox_run(&l->mailbox);
		timer_fire_due(&l->timers, l->now_ns);
		run_work(l);
		bury_all(l);
	}
}
