// SPDX-License-Identifier: MIT
/* Accepting: level-triggered, a bounded share per turn, paused while file descriptors run short. */
#include "edge/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/worker.h"
#include "lib/log.h"

#define ACCEPT_SHARE 64
/* While this few events came together, one accept4 per event: with a single client the second one
 * would only ever say EAGAIN, and the listener is level-triggered. */
#define QUIET_BATCH 2
#define PAUSE_NS    (100 * NS_PER_MS)

/* The lowest free descriptor says how full the table is, without taking a client's place. */
static bool room_for_more(const struct listener *l)
{
	int fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return false;
	close(fd);
	return (unsigned)fd < l->worker->fd_pause_at;
}

static void resume(struct timer *t)
{
	struct listener *l = (struct listener *)((char *)t - offsetof(struct listener, resume));
	struct worker *w = l->worker;

	if (!room_for_more(l) && timer_set(&w->loop.timers, t, w->loop.now_ns + PAUSE_NS) == 0)
		return;
	loop_move(&w->loop, l->fd, &l->io, 0, EPOLLIN);
}

/* No fd, or no memory, is left for more: those that wait keep waiting in the kernel's queue. */
static void pause_accepting(struct listener *l, int err)
{
	struct worker *w = l->worker;

	if (atomic_fetch_add(&w->accept_pauses, 1) == 0)
		log_event(LOG_WARN, "accept.paused", LOGF_UINT("worker", w->config.index),
			  LOGF_STR("error", strerror(err)),
			  LOGF_STR("hint", "raise RLIMIT_NOFILE (LimitNOFILE=); a connection takes "
					   "two file descriptors"));
	if (timer_set(&w->loop.timers, &l->resume, w->loop.now_ns + PAUSE_NS) == 0)
		loop_move(&w->loop, l->fd, &l->io, 0, 0);
}

/* Returns 0 while there may be more, else an errno; EMFILE from @pause_at descriptors on. */
static int accept_one(struct listener *l, unsigned pause_at)
{
	int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		/* accept(2): these are about the connection, not about the listener. */
		return errno == ECONNABORTED || errno == EPROTO || errno == EINTR ? 0 : errno;
	conn_new(&l->worker->conns, l->service, fd, l->expected_slot);
	return (unsigned)fd >= pause_at ? EMFILE : 0;
}

static void on_event(struct io *io, unsigned slot, uint32_t events)
{
	struct listener *l = (struct listener *)io;
	unsigned share = l->worker->loop.batch <= QUIET_BATCH ? 1 : ACCEPT_SHARE;
	int err = 0;

	if (l->fd < 0)
		return;
	while (share-- && !err)
		err = accept_one(l, l->worker->fd_pause_at);
	if (err && err != EAGAIN)
		pause_accepting(l, err);
}

struct listener *listener_new(struct worker *w, int fd, struct service *service,
			      uint64_t expected_slot)
{
	struct listener *l = aligned_alloc(IO_ALIGN,
					   (sizeof(*l) + IO_ALIGN - 1) & ~(IO_ALIGN - 1ul));

	if (!l)
		goto err;
	memset(l, 0, sizeof(*l));
	l->io.event = on_event;
	l->worker = w;
	l->service = service;
	l->expected_slot = expected_slot;
	l->fd = fd;
	l->resume.fire = resume;
	if (loop_add(&w->loop, fd, &l->io, 0, EPOLLIN) < 0)
		goto err;
	l->next = w->listeners;
	l->prev = &w->listeners;
	if (l->next)
		l->next->prev = &l->next;
	w->listeners = l;
	return l;

err:
	log_event(LOG_ERROR, "listener.lost", LOGF_UINT("rule", service->rule->id),
		  LOGF_STR("error", "no memory to accept on one worker"));
	free(l);
	close(fd);
	service_unref(service);
	return NULL;
}

void listener_set_service(struct listener *l, struct service *service)
{
	service_unref(l->service);
	l->service = service;
}

void listener_close(struct listener *l)
{
	/* What the kernel has already accepted for us would get a RST, so the reserve is for it. */
	for (int most = 65536; most && accept_one(l, UINT_MAX) == 0; most--)
		;
	timer_clear(&l->worker->loop.timers, &l->resume);
	close(l->fd);
	l->fd = -1;
	*l->prev = l->next;
	if (l->next)
		l->next->prev = l->prev;
	service_unref(l->service);
	free(l);
}
