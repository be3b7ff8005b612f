/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_MAILBOX_H
#define PORTUNUS_EDGE_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

/* Something to be done on another thread. Embedded in what it is about. */
struct job {
	struct job *next;
	void (*run)(struct job *job);
};

/* A thread's inbox: any thread posts, the owner runs. Owned by the thread that runs it. */
struct mailbox {
	pthread_mutex_t lock;
	struct job *head, **tail;
	int fd; /* eventfd, readable while there is something to run */
};

int mailbox_init(struct mailbox *m);
/* Runs what is left, then closes the fd. */
void mailbox_close(struct mailbox *m);

/* Hands @job over; run() is called once, on the owner's thread, in order of posting. Any thread. */
void mailbox_post(struct mailbox *m, struct job *job);

/* Runs everything posted so far. Owner's thread, when the fd is readable. */
void mailbox_run(struct mailbox *m);

#endif
