// SPDX-License-Identifier: MIT
/* A listening socket of the main loop, whose connections become clients of a list. */
#include "edge/status/door.h"

#include <errno.h>
#include <event2/event.h>
#include <stddef.h>
#include <sys/socket.h>

#include "edge/status/client.h"

#define ACCEPT_PAUSE_MS 500

static const struct timeval accept_pause = {.tv_usec = ACCEPT_PAUSE_MS * 1000};

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct door *d = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		client_accept(d->clients, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		/* The queue stays readable: without a pause this would spin. */
		event_del(d->listening);
		event_add(d->resume, &accept_pause);
	}
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct door *d = arg;

	event_add(d->listening, NULL);
}

int door_open(struct door *d, int fd, struct client_list *clients)
{
	*d = (struct door){.fd = fd, .clients = clients};
	d->listening = event_new(clients->base, fd, EV_READ | EV_PERSIST, on_accept, d);
	d->resume = evtimer_new(clients->base, on_resume, d);
	if (d->listening && d->resume && !event_add(d->listening, NULL))
		return 0;
	door_close(d);
	return -ENOMEM;
}

void door_close(struct door *d)
{
	if (d->listening)
		event_free(d->listening);
	if (d->resume)
		event_free(d->resume);
	d->listening = d->resume = NULL;
}
