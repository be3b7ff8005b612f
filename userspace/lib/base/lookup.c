// SPDX-License-Identifier: MIT
/* Looks up the control server's name without making the event loop wait. */
#include "lib/base/lookup.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOKUP_ADDRS_MAX 16

/*
 * Shared by the loop and the thread; whoever drops it last frees it. The thread writes the result and
 * then the eventfd; the loop reads it after the eventfd said so.
 */
struct lookup {
	atomic_int holders;
	atomic_bool answered; /* the result is complete; orders it before the loop's reading */
	int wake;
	struct event *event; /* the loop's */
	lookup_fn *done;
	void *arg;
	char *host;
	uint16_t port;
	const char *error; /* gai_strerror()'s constants */
	size_t n;
	union addr addrs[LOOKUP_ADDRS_MAX];
};

static void drop(struct lookup *l)
{
	if (atomic_fetch_sub(&l->holders, 1) > 1)
		return;
	close(l->wake);
	free(l->host);
	free(l);
}

static void wake_loop(struct lookup *l)
{
	atomic_store_explicit(&l->answered, true, memory_order_release);
	/* A counter of one cannot overflow, so this write cannot fail. */
	if (eventfd_write(l->wake, 1))
		abort();
}

static void add_result(struct lookup *l, const struct addrinfo *ai)
{
	if (l->n == LOOKUP_ADDRS_MAX || ai->ai_addrlen > sizeof(l->addrs[0]))
		return;
	memcpy(&l->addrs[l->n++], ai->ai_addr, ai->ai_addrlen);
}

static void *lookup_thread(void *arg)
{
	struct lookup *l = arg;
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	char service[8];
	int rc;

	snprintf(service, sizeof(service), "%u", l->port);
	rc = getaddrinfo(l->host, service, &hints, &list);
	if (rc)
		l->error = gai_strerror(rc);
	for (struct addrinfo *ai = list; !rc && ai; ai = ai->ai_next)
		add_result(l, ai);
	if (!rc) {
		freeaddrinfo(list);
		if (!l->n)
			l->error = "no address";
	}
	wake_loop(l);
	drop(l);
	return NULL;
}

/* Signals stay with the threads that expect them. */
static int start_thread(struct lookup *l)
{
	pthread_t thread;
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, NULL, lookup_thread, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!rc)
		pthread_detach(thread);
	return -rc;
}

static void finished(evutil_socket_t fd, short what, void *arg)
{
	struct lookup *l = arg;

	if (!atomic_load_explicit(&l->answered, memory_order_acquire))
		return;
	event_free(l->event);
	l->event = NULL;
	l->done(l->error, l->addrs, l->n, l->arg);
	drop(l);
}

struct lookup *lookup_start(struct event_base *base, const char *host, uint16_t port,
			    lookup_fn *done, void *arg)
{
	struct lookup *l = calloc(1, sizeof(*l));
	int rc = -ENOMEM;

	if (!l)
		return NULL;
	*l = (struct lookup){.holders = 1, .done = done, .arg = arg, .port = port};
	l->host = strdup(host);
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!l->host || l->wake < 0)
		goto out_free;
	l->event = event_new(base, l->wake, EV_READ, finished, l);
	if (!l->event || event_add(l->event, NULL))
		goto out_event;
	if (!addr_parse_literal(host, port, &l->addrs[0])) {
		l->n = 1;
		wake_loop(l);
		return l;
	}
	atomic_store(&l->holders, 2);
	rc = start_thread(l);
	if (!rc)
		return l;
out_event:
	if (l->event)
		event_free(l->event);
out_free:
	if (l->wake >= 0)
		close(l->wake);
	free(l->host);
	free(l);
	errno = -rc;
	return NULL;
}

void lookup_cancel(struct lookup *l)
{
	event_free(l->event);
	l->event = NULL;
	drop(l);
}
