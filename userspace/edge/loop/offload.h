/* SPDX-License-Identifier: MIT */
/* A thread beside the main one for jobs that may wait, and the way back of their results. */
#ifndef PORTUNUS_EDGE_LOOP_OFFLOAD_H
#define PORTUNUS_EDGE_LOOP_OFFLOAD_H

#include <stdbool.h>

#include "edge/loop/mailbox.h"

struct event_base;
struct offload;

/* Something that may wait (for a disk, for a file system of another host). Embedded in what it is about. */
struct offload_job {
	struct job job; /* the offload's */
	struct offload *owner;
	void (*work)(struct offload_job *j); /* on the thread */
	void (*done)(struct offload_job *j); /* then, on the main thread */
};

/*
 * A thread that does what the main thread must not wait for, one job after the other. @name is the
 * thread's, of at most 15 characters. NULL with errno set. Main thread, all of it.
 */
struct offload *offload_new(struct event_base *base, const char *name);

/* Calls j->work() on the thread, later, and then j->done(). */
void offload_post(struct offload *o, struct offload_job *j);

/* Waits until done() was called for all that was posted so far. */
void offload_settle(struct offload *o);

/*
 * Waits for what was posted, but no longer than @ms (0: as long as it takes), and ends the thread.
 * False: it still waits for something, and what it works on has to stay until the process ends.
 */
bool offload_free(struct offload *o, unsigned ms);

#endif
