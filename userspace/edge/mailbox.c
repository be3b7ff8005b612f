// SPDX-License-Identifier: MIT
/* A queue of jobs from any thread to one thread, with an eventfd that wakes it. */
#include "edge/mailbox.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_init(struct mailbox *m)
{
	m->head = NULL;
	m->tail = &m->head;
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

	job->next = NULL;
	pthread_mutex_lock(&m->lock);
	first = !m->head;
	*m->tail = job;
	m->tail = &job->next;
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
	job = m->head;
	m->head = NULL;
	m->tail = &m->head;
	pthread_mutex_unlock(&m->lock);
	for (; job; job = next) {
		next = job->next;
		job->run(job);
	}
}
