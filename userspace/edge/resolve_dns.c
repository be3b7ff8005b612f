// SPDX-License-Identifier: MIT
/* c-ares on a libevent base: its sockets and its one timer as events, its answers as address sets. */
#include "edge/resolve_dns.h"

#include <ares.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "edge/resolve_cache.h"

#define SERVERS_MAX 3 /* as many as the C library asks (MAXNS in resolv.h) */
#define TRIES	    2

/* One socket of c-ares. */
struct dns_socket {
	struct dns_socket *next;
	struct event *event;
	evutil_socket_t fd;
	short what;
};

/* Owned by the main thread. */
struct resolve_dns {
	struct event_base *base;
	ares_channel channel;
	struct event *timer;
	struct dns_socket *sockets;
};

struct query {
	resolve_dns_done *done;
	void *arg;
};

/* c-ares never rests on its own clock: after everything that may have changed it, ask for it. */
static void arm_timer(struct resolve_dns *d)
{
	struct timeval buf, *next = ares_timeout(d->channel, NULL, &buf);

	if (next)
		event_add(d->timer, next);
	else
		event_del(d->timer);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct resolve_dns *d = arg;

	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm_timer(d);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct resolve_dns *d = arg;

	/* May close this very socket, and free its event with it. */
	ares_process_fd(d->channel, what & EV_READ ? fd : ARES_SOCKET_BAD,
			what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	arm_timer(d);
}

static void drop_socket(struct dns_socket **p)
{
	struct dns_socket *s = *p;

	*p = s->next;
	if (s->event)
		event_free(s->event);
	free(s);
}

/*
 * c-ares says what it waits for on a socket; nothing at all means that it is about to close it.
 * Where memory fails the socket is not watched, and its query ends by c-ares's timer.
 */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolve_dns *d = arg;
	short what = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	struct dns_socket **p, *s;

	for (p = &d->sockets; *p && (*p)->fd != fd; p = &(*p)->next)
		;
	if (*p && (*p)->what == what)
		return;
	if (*p)
		drop_socket(p);
	if (!what)
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	s->fd = fd;
	s->what = what;
	s->event = event_new(d->base, fd, (short)(what | EV_PERSIST), on_socket, d);
	s->next = d->sockets;
	d->sockets = s;
	if (!s->event || event_add(s->event, NULL) < 0)
		drop_socket(&d->sockets);
}

static int open_channel(struct resolve_dns *d, const char *servers, int timeout_ms)
{
	char hosts_then_dns[] = "fb";
	struct ares_options opt = {
		.flags = ARES_FLAG_NOALIASES, /* HOSTALIASES is a user's thing, not a daemon's */
		.timeout = timeout_ms,
		.tries = TRIES,
		.lookups = hosts_then_dns,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = d,
	};
	int rc = ares_init_options(&d->channel, &opt,
				   ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
					   ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);

	if (rc != ARES_SUCCESS) {
		d->channel = NULL;
		return -ENOMEM;
	}
	if (!servers)
		return 0;
	rc = ares_set_servers_ports_csv(d->channel, servers);
	return rc == ARES_SUCCESS ? 0 : rc == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

/* Cuts the channel's list of servers to what we ask and returns how many that is. */
static unsigned limit_servers(struct resolve_dns *d)
{
	struct ares_addr_port_node *list = NULL, *rest, *last = NULL;
	unsigned n = 0;

	if (ares_get_servers_ports(d->channel, &list) != ARES_SUCCESS)
		return 1;
	for (rest = list; rest && n < SERVERS_MAX; rest = rest->next) {
		last = rest;
		n++;
	}
	if (rest) {
		last->next = NULL;
		ares_set_servers_ports(d->channel, list);
		ares_free_data(rest);
	}
	ares_free_data(list);
	return n ? n : 1;
}

int resolve_dns_new(struct event_base *base, const char *servers, unsigned limit_ms,
		    struct resolve_dns **out)
{
	struct resolve_dns *d;
	int timeout_ms, rc = -ENOMEM;

	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return -ENOMEM;
	d = calloc(1, sizeof(*d));
	if (!d)
		goto no_memory;
	d->base = base;
	d->timer = evtimer_new(base, on_timer, d);
	if (!d->timer)
		goto free_dns;
	rc = open_channel(d, servers, (int)limit_ms);
	if (rc < 0)
		goto free_channel;
	/*
	 * c-ares asks every server once with this time-out, then every server again with twice as
	 * much. How many there are is known only now, and the time-out is an option of opening.
	 */
	timeout_ms = (int)(limit_ms / (3 * limit_servers(d)));
	ares_destroy(d->channel);
	rc = open_channel(d, servers, timeout_ms);
	if (rc < 0)
		goto free_channel;
	limit_servers(d);
	*out = d;
	return 0;

free_channel:
	if (d->channel)
		ares_destroy(d->channel);
	event_free(d->timer);
free_dns:
	free(d);
no_memory:
	ares_library_cleanup();
	return rc;
}

void resolve_dns_free(struct resolve_dns *d)
{
	if (!d)
		return;
	ares_destroy(d->channel);
	while (d->sockets)
		drop_socket(&d->sockets);
	event_free(d->timer);
	free(d);
	ares_library_cleanup();
}

/* Whether we can have no socket: c-ares does not tell that from a server that cannot be reached. */
static bool lack_sockets(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno != EAFNOSUPPORT;
	close(fd);
	return false;
}

static int error_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		return ENOENT;
	case ARES_ENOMEM:
		return ENOBUFS;
	case ARES_ECANCELLED:
	case ARES_EDESTRUCTION:
		return ECANCELED;
	case ARES_ECONNREFUSED:
		return lack_sockets() ? ENOBUFS : ETIMEDOUT;
	default: /* ETIMEOUT, ESERVFAIL, EREFUSED, EBADRESP, … */
		return ETIMEDOUT;
	}
}

static void shorten(uint32_t *ttl, int other)
{
	if (other >= 0 && (uint32_t)other < *ttl)
		*ttl = (uint32_t)other;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
	struct resolve_set set = {.n4 = 0};
	struct query *q = arg;
	uint32_t ttl = RESOLVE_TTL_MAX_S;
	int err = error_of(status);

	for (struct ares_addrinfo_node *n = ai ? ai->nodes : NULL; n; n = n->ai_next) {
		resolve_set_add(&set, n->ai_addr);
		shorten(&ttl, n->ai_ttl);
	}
	for (struct ares_addrinfo_cname *a = ai ? ai->cnames : NULL; a; a = a->next)
		shorten(&ttl, a->ttl);
	if (ai)
		ares_freeaddrinfo(ai);
	if (!err && set.n4 + set.n6 == 0)
		err = ENOENT;
	q->done(q->arg, err, &set, ttl, ares_strerror(status));
	free(q);
}

void resolve_dns_query(struct resolve_dns *d, const char *name, resolve_dns_done *done, void *arg)
{
	/* No socket type: c-ares gives each address once whatever it is. */
	static const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NOSORT,
		.ai_family = AF_UNSPEC,
	};
	const struct resolve_set none = {.n4 = 0};
	struct query *q = malloc(sizeof(*q));

	if (!q) {
		done(arg, ENOBUFS, &none, 0, ares_strerror(ARES_ENOMEM));
		return;
	}
	*q = (struct query){.done = done, .arg = arg};
	ares_getaddrinfo(d->channel, name, NULL, &hints, on_answer, q);
	arm_timer(d);
}
