/* SPDX-License-Identifier: MIT */
/* A queue of jobs from any thread to one thread, with an eventfd that wakes it. */
#ifndef PORTUNUS_EDGE_LOOP_MAILBOX_H
#define PORTUNUS_EDGE_LOOP_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

struct event;
struct event_base;

/* Something to be done on another thread. Embedded in what it is about. */
struct job {
	STAILQ_ENTRY(job) entry;
	void (*run)(struct job *job);
};

/* A thread's inbox: any thread posts, the owner runs. Owned by the thread that runs it. */
struct mailbox {
	pthread_mutex_t lock;
	STAILQ_HEAD(, job) jobs;
	int fd; /* eventfd, readable while there is something to run */
};

int mailbox_init(struct mailbox *m);
/* Runs what is left, then closes the fd. */
void mailbox_close(struct mailbox *m);

/* Hands @job over; run() is called once, on the owner's thread, in order of posting. Any thread. */
void mailbox_post(struct mailbox *m, struct job *job);

/* Runs everything posted so far. Owner's thread, when the fd is readable. */
void mailbox_run(struct mailbox *m);

/*
 * Runs it on @base, whose thread is the owner's, from now on. The event is the caller's, to be freed
 * before the mailbox is closed; NULL without memory.
 */
struct event *mailbox_watch(struct mailbox *m, struct event_base *base);

#endif
