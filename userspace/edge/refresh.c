// SPDX-License-Identifier: MIT
/* Refreshes of the kernel's records, off the main thread: a refresh may have to wait 250 ms. */
#include "edge/refresh.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>

#include "edge/account.h"
#include "lib/clock.h"

struct refresher {
	struct account *account;
	struct mailbox asked;	 /* to the thread */
	struct mailbox answered; /* to the main thread */
	struct event *mail;	 /* of @answered */
	struct job quit;
	bool stop; /* the thread's */
	pthread_t thread;
};

static void on_answered(struct job *job)
{
	struct refresh *r = (struct refresh *)((char *)job - offsetof(struct refresh, job));

	r->done(r);
}

/* On the thread. What was asked before the last refresh began costs nothing here. */
static void on_asked(struct job *job)
{
	struct refresh *r = (struct refresh *)((char *)job - offsetof(struct refresh, job));

	r->result = account_refresh(r->owner->account, r->not_before_ns);
	r->job.run = on_answered;
	mailbox_post(&r->owner->answered, &r->job);
}

static void on_quit(struct job *job)
{
	struct refresher *r = (struct refresher *)((char *)job - offsetof(struct refresher, quit));

	r->stop = true;
}

static void *run(void *arg)
{
	struct refresher *r = arg;
	struct pollfd p = {.fd = r->asked.fd, .events = POLLIN};

	pthread_setname_np(pthread_self(), "refresh");
	while (!r->stop)
		if (poll(&p, 1, -1) > 0)
			mailbox_run(&r->asked);
	return NULL;
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
	mailbox_run(arg);
}

struct refresher *refresher_new(struct event_base *base, struct account *a)
{
	struct refresher *r = calloc(1, sizeof(*r));
	sigset_t all, before;
	int err;

	if (!r)
		return NULL;
	r->account = a;
	err = -mailbox_init(&r->asked);
	if (err)
		goto err_free;
	err = -mailbox_init(&r->answered);
	if (err)
		goto err_asked;
	err = ENOMEM;
	r->mail = event_new(base, r->answered.fd, EV_READ | EV_PERSIST, on_mail, &r->answered);
	if (!r->mail || event_add(r->mail, NULL) < 0)
		goto err_answered;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&r->thread, NULL, run, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		return r;

err_answered:
	if (r->mail)
		event_free(r->mail);
	mailbox_close(&r->answered);
err_asked:
	mailbox_close(&r->asked);
err_free:
	free(r);
	errno = err;
	return NULL;
}

void refresher_ask(struct refresher *owner, struct refresh *r)
{
	r->owner = owner;
	r->not_before_ns = clock_mono_ns();
	r->job.run = on_asked;
	mailbox_post(&owner->asked, &r->job);
}

void refresher_free(struct refresher *r)
{
	if (!r)
		return;
	r->quit.run = on_quit;
	mailbox_post(&r->asked, &r->quit);
	pthread_join(r->thread, NULL);
	event_free(r->mail);
	mailbox_close(&r->asked);
	mailbox_close(&r->answered);
	free(r);
}
