/* SPDX-License-Identifier: MIT */
/* The event loop of a worker: epoll, timers, jobs from other threads, work that was put off. */
#ifndef PORTUNUS_EDGE_LOOP_LOOP_H
#define PORTUNUS_EDGE_LOOP_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include "edge/loop/mailbox.h"
#include "edge/loop/timer.h"

struct io;

/*
 * What an epoll event points to: the first member of an object with 64-byte alignment. The six bits
 * which that leaves free carry a slot number, so that one object can own several fds (and tell a
 * stale event of a former fd from one of its present fd).
 */
struct io {
	void (*event)(struct io *io, unsigned slot, uint32_t events);
};

#define IO_ALIGN 64
#define IO_SLOTS 64

/* Of a stream socket that is relayed: one registration for all of its life. */
#define IO_STREAM (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

/* @size bytes, all zero, for an object that begins with a struct io; for free(3). NULL without memory. */
void *io_alloc(size_t size);

/* Something to go on with after the other events of this turn. All zero: not queued. */
struct work {
	TAILQ_ENTRY(work) entry; /* not queued: tqe_prev is NULL */
	void (*run)(struct work *work);
};

/* Objects that may still be named by an event of the running batch are freed after it. */
struct deferred_free {
	SLIST_ENTRY(deferred_free) entry;
	void (*free)(struct deferred_free *deferred);
};

/* An epoll loop. Owned by the thread that runs it; only loop_post() may be called by others. */
struct loop {
	int epoll_fd;
	bool stop;
	uint64_t now_ns; /* as of the last epoll_wait */
	int batch;	 /* events in the batch that is being handled */
	int wait_max_ms; /* it never sleeps for longer; 0: until something comes */
	/* Told when a batch was taken, and with -1 before the loop goes to sleep; may be NULL. */
	void (*on_turn)(void *arg, int events);
	void *on_turn_arg;
	struct timer_heap timers;
	TAILQ_HEAD(, work) work;
	unsigned n_work;
	SLIST_HEAD(, deferred_free) deferred;
	struct mailbox mailbox;
	_Atomic(const char *) doing; /* for whoever wonders why the thread stands still */
};

/* Notes what the thread is doing from now on, in words; @what is not copied. */
static inline void loop_does(struct loop *l, const char *what)
{
	atomic_store_explicit(&l->doing, what, memory_order_relaxed);
}

/* The last note. Any thread. */
static inline const char *loop_doing(const struct loop *l)
{
	return atomic_load_explicit(&l->doing, memory_order_relaxed);
}

int loop_init(struct loop *l);
/* After loop_run() has returned. */
void loop_close(struct loop *l);
/* Until loop_stop(), called on this thread. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Once per fd; @events as epoll_ctl(2) takes them, EPOLLET included where wanted. 0 or -errno. */
int loop_add(struct loop *l, int fd, struct io *io, unsigned slot, uint32_t events);
/* Changes the events of @fd, or the object they point to; those that are pending are raised again. */
int loop_move(struct loop *l, int fd, struct io *io, unsigned slot, uint32_t events);

void loop_work(struct loop *l, struct work *work);
void loop_work_cancel(struct loop *l, struct work *work);
void loop_defer_free(struct loop *l, struct deferred_free *deferred,
		     void (*free)(struct deferred_free *));

/* Runs @job on the loop's thread. Any thread. */
static inline void loop_post(struct loop *l, struct job *job)
{
	mailbox_post(&l->mailbox, job);
}

#endif
