// SPDX-License-Identifier: MIT
/* A thread beside the main one for jobs that may wait, and the way back of their results. */
#include "edge/loop/offload.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/container_of.h"

struct offload {
	struct mailbox asked;	 /* to the thread */
	struct mailbox answered; /* to the main thread */
	struct event *mail;	 /* of @answered */
	struct job quit, settled;
	sem_t reached;	  /* @settled has run */
	bool settling;	  /* @settled is posted; the main thread's */
	unsigned pending; /* posted, and done() not yet called; the main thread's */
	bool stop;	  /* the thread's */
	const char *name;
	pthread_t thread;
};

static void on_answered(struct job *job)
{
	struct offload_job *j = container_of(job, struct offload_job, job);

	j->owner->pending--;
	j->done(j);
}

static void on_asked(struct job *job)
{
	struct offload_job *j = container_of(job, struct offload_job, job);

	j->work(j);
	j->job.run = on_answered;
	mailbox_post(&j->owner->answered, &j->job);
}

static void on_quit(struct job *job)
{
	container_of(job, struct offload, quit)->stop = true;
}

static void *run(void *arg)
{
	struct offload *o = arg;
	struct pollfd p = {.fd = o->asked.fd, .events = POLLIN};

	pthread_setname_np(pthread_self(), o->name);
	while (!o->stop)
		if (poll(&p, 1, -1) > 0)
			mailbox_run(&o->asked);
	return NULL;
}

struct offload *offload_new(struct event_base *base, const char *name)
{
	struct offload *o = calloc(1, sizeof(*o));
	sigset_t all, before;
	int err;

	if (!o)
		return NULL;
	o->name = name;
	sem_init(&o->reached, 0, 0);
	err = -mailbox_init(&o->asked);
	if (err)
		goto err_free;
	err = -mailbox_init(&o->answered);
	if (err)
		goto err_asked;
	err = ENOMEM;
	o->mail = mailbox_watch(&o->answered, base);
	if (!o->mail)
		goto err_answered;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&o->thread, NULL, run, o);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		return o;

err_answered:
	if (o->mail)
		event_free(o->mail);
	mailbox_close(&o->answered);
err_asked:
	mailbox_close(&o->asked);
err_free:
	free(o);
	errno = err;
	return NULL;
}

void offload_post(struct offload *o, struct offload_job *j)
{
	o->pending++;
	j->owner = o;
	j->job.run = on_asked;
	mailbox_post(&o->asked, &j->job);
}

static void on_settled(struct job *job)
{
	sem_post(&container_of(job, struct offload, settled)->reached);
}

/* Waits until the thread has done what is asked of it now; @ms 0: as long as it takes. */
static bool reach(struct offload *o, unsigned ms)
{
	struct timespec until;
	int rc;

	/* One that was waited for in vain is in the queue still. */
	if (!o->settling) {
		o->settling = true;
		o->settled.run = on_settled;
		mailbox_post(&o->asked, &o->settled);
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	do
		rc = ms ? sem_timedwait(&o->reached, &until) : sem_wait(&o->reached);
	while (rc < 0 && errno == EINTR);
	o->settling = rc != 0;
	return !rc;
}

void offload_settle(struct offload *o)
{
	reach(o, 0);
	mailbox_run(&o->answered);
}

bool offload_free(struct offload *o, unsigned ms)
{
	/* An answer may ask for more. */
	while (o->pending) {
		if (!reach(o, ms)) {
			pthread_detach(o->thread);
			return false;
		}
		mailbox_run(&o->answered);
	}
	o->quit.run = on_quit;
	mailbox_post(&o->asked, &o->quit);
	pthread_join(o->thread, NULL);
	event_free(o->mail);
	mailbox_close(&o->asked);
	mailbox_close(&o->answered);
	sem_destroy(&o->reached);
	free(o);
	return true;
}
