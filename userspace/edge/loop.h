/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_LOOP_H
#define PORTUNUS_EDGE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "edge/mailbox.h"
#include "edge/timer.h"

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

/* Something to go on with after the other events of this turn. All zero: not queued. */
struct work {
	struct work *next, **prev;
	void (*run)(struct work *work);
};

/* Objects that may still be named by an event of the running batch are freed after it. */
struct corpse {
	struct corpse *next;
	void (*bury)(struct corpse *corpse);
};

/* An epoll loop. Owned by the thread that runs it; only loop_post() may be called by others. */
struct loop {
	int epoll_fd;
	bool stop;
	uint64_t now_ns; /* as of the last epoll_wait */
	int batch;	 /* events in the batch that is being handled */
	struct timer_heap timers;
	struct work *work_head, **work_tail;
	unsigned n_work;
	struct corpse *corpses;
	struct mailbox mailbox;
};

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
void loop_bury(struct loop *l, struct corpse *corpse, void (*bury)(struct corpse *));

/* Runs @job on the loop's thread. Any thread. */
static inline void loop_post(struct loop *l, struct job *job)
{
	mailbox_post(&l->mailbox, job);
}

#endif
