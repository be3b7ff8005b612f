// SPDX-License-Identifier: MIT
/* A queue of jobs from any thread to one thread, with an eventfd that wakes it. */
#include "edge/loop/mailbox.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

int mailbox_init(struct mailbox *m)
{
	STAILQ_INIT(&m->jobs);
	m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (m->fd < 0)
		return -errno;
	pthread_mutex_init(&m->lock, NULL);
	return 0;
}

void mailbox_close(struct mailbox *m)
{
	mailbox_run(m);
	close(m->fd);
	pthread_mutex_destroy(&m->lock);
}

void mailbox_post(struct mailbox *m, struct job *job)
{
	bool first;

	pthread_mutex_lock(&m->lock);
	first = STAILQ_EMPTY(&m->jobs);
	STAILQ_INSERT_TAIL(&m->jobs, job, entry);
	pthread_mutex_unlock(&m->lock);
	/* The owner takes the whole list, so only the first job of a list has to wake it. An
	 * eventfd write fails only at 2^64 - 1. */
	if (first)
		eventfd_write(m->fd, 1);
}

void mailbox_run(struct mailbox *m)
{
	struct job *job, *next;
	eventfd_t n;

	/* Cleared before the list is taken: a job posted in between wakes us once more. */
	eventfd_read(m->fd, &n);
	pthread_mutex_lock(&m->lock);
	job = STAILQ_FIRST(&m->jobs);
	STAILQ_INIT(&m->jobs);
	pthread_mutex_unlock(&m->lock);
	for (; job; job = next) {
		next = STAILQ_NEXT(job, entry);
		job->run(job);
	}
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
	mailbox_run(arg);
}

struct event *mailbox_watch(struct mailbox *m, struct event_base *base)
{
	struct event *e = event_new(base, m->fd, EV_READ | EV_PERSIST, on_mail, m);

	if (e && event_add(e, NULL) < 0) {
		event_free(e);
		e = NULL;
	}
	return e;
}
