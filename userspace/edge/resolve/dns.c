// SPDX-License-Identifier: MIT
/* c-ares on a libevent base: its sockets and its one timer as events, its answers summed by family. */
#include "edge/resolve/dns.h"

#include <ares.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "edge/resolve/cache.h"
#include "edge/resolve/search.h"

#define SERVERS_MAX 3 /* as many as the C library asks (MAXNS in resolv.h) */
#define TRIES	    2
/* Of the one socket per server: the kernel's default holds about 277 answers, and two for each of
 * RESOLVE_FLIGHTS_MAX may come at once. (net.core.rmem_max bounds it.) */
#define SOCKET_RCVBUF (1 << 20)

/* One socket of c-ares. */
struct dns_socket {
	LIST_ENTRY(dns_socket) entry;
	struct event *event;
	evutil_socket_t fd;
	short what;
};

/* Owned by the main thread. */
struct resolve_dns {
	struct event_base *base;
	ares_channel channel; /* asks the servers for absolute names */
	ares_channel files;   /* reads /etc/hosts, and never waits */
	struct resolve_search search;
	struct event *timer;
	LIST_HEAD(, dns_socket) sockets;
};

/* One family of a question. */
struct family_query {
	struct query *query;
	enum resolve_family family;
};

/* One question: a query for each family, for one absolute name after the other. */
struct query {
	struct resolve_dns *dns;
	resolve_dns_done *done;
	void *arg;
	struct family_query by_family[RESOLVE_FAMILIES];
	struct resolve_answer answer;
	struct event delay; /* RESOLVE_DELAY_MS after the first family's addresses */
	unsigned step;	    /* of the search */
	unsigned pending;   /* queries under way */
	const char *why;
	char name[];
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

static void drop_socket(struct dns_socket *s)
{
	LIST_REMOVE(s, entry);
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
	struct dns_socket *s;

	LIST_FOREACH (s, &d->sockets, entry) {
		if (s->fd == fd)
			break;
	}
	if (s && s->what == what)
		return;
	if (s)
		drop_socket(s);
	if (!what)
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	s->fd = fd;
	s->what = what;
	s->event = event_new(d->base, fd, (short)(what | EV_PERSIST), on_socket, d);
	LIST_INSERT_HEAD(&d->sockets, s, entry);
	if (!s->event || event_add(s->event, NULL) < 0)
		drop_socket(s);
}

static int init_channel(struct resolve_dns *d, ares_channel *channel, char *lookups, int timeout_ms,
			int more)
{
	struct ares_options opt = {
		/* HOSTALIASES is a user's thing, not a daemon's. */
		.flags = ARES_FLAG_NOALIASES | ARES_FLAG_NOSEARCH,
		.timeout = timeout_ms,
		.tries = TRIES,
		.socket_receive_buffer_size = SOCKET_RCVBUF,
		.lookups = lookups,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = d,
	};
	int rc = ares_init_options(channel, &opt,
				   more | ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
					   ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
					   ARES_OPT_SOCK_RCVBUF);

	if (rc != ARES_SUCCESS)
		*channel = NULL;
	return rc == ARES_SUCCESS ? 0 : -ENOMEM;
}

/* Without domains, so that c-ares takes every name as it is. */
static int open_channel(struct resolve_dns *d, const char *servers, int timeout_ms)
{
	char dns[] = "b";
	int rc = init_channel(d, &d->channel, dns, timeout_ms, ARES_OPT_DOMAINS);

	if (rc < 0 || !servers)
		return rc;
	rc = ares_set_servers_ports_csv(d->channel, servers);
	return rc == ARES_SUCCESS ? 0 : rc == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

static void drop_search(struct resolve_search *s)
{
	for (unsigned i = 0; i < s->n_domains; i++)
		free(s->domains[i]);
	free(s->domains);
	*s = (struct resolve_search){.ndots = 1};
}

/* The channel for /etc/hosts is the one that has read the search list. */
static int open_files(struct resolve_dns *d)
{
	struct ares_options opt = {.flags = 0};
	char files[] = "f";
	int mask = 0, rc = init_channel(d, &d->files, files, 1000, 0);

	if (rc < 0)
		return rc;
	if (ares_save_options(d->files, &opt, &mask) != ARES_SUCCESS)
		return -ENOMEM;
	d->search.ndots = opt.ndots > 0 ? (unsigned)opt.ndots : 0;
	d->search.domains = opt.ndomains > 0 ? calloc((size_t)opt.ndomains, sizeof(char *)) : NULL;
	for (int i = 0; d->search.domains && i < opt.ndomains; i++) {
		char *domain = strdup(opt.domains[i]);

		if (domain)
			d->search.domains[d->search.n_domains++] = domain;
	}
	ares_destroy_options(&opt);
	return 0;
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
	rc = open_files(d);
	if (rc < 0)
		goto free_channel;
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
	if (d->files)
		ares_destroy(d->files);
	drop_search(&d->search);
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
	ares_destroy(d->files);
	drop_search(&d->search);
	while (!LIST_EMPTY(&d->sockets))
		drop_socket(LIST_FIRST(&d->sockets));
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

/* Puts one family's part of @ai into the question's answer. */
static void take_family(struct query *q, enum resolve_family f, int err,
			const struct ares_addrinfo *ai)
{
	struct resolve_set set = {.n4 = 0};
	uint32_t ttl = RESOLVE_TTL_MAX_S;

	for (struct ares_addrinfo_node *n = ai ? ai->nodes : NULL; n; n = n->ai_next) {
		if (n->ai_family != (f == RESOLVE_V4 ? AF_INET : AF_INET6))
			continue;
		resolve_set_add(&set, n->ai_addr);
		shorten(&ttl, n->ai_ttl);
	}
	for (struct ares_addrinfo_cname *a = ai ? ai->cnames : NULL; a; a = a->next)
		shorten(&ttl, a->ttl);
	resolve_set_take(&q->answer.set, &set, f);
	if (!err && !(f == RESOLVE_V4 ? set.n4 : set.n6))
		err = ENOENT;
	q->answer.err[f] = err;
	q->answer.ttl[f] = ttl;
}

static void end_query(struct query *q)
{
	if (event_initialized(&q->delay))
		event_del(&q->delay);
	q->done(q->arg, &q->answer, true, q->why);
	free(q);
}

static void on_delay(evutil_socket_t fd, short what, void *arg)
{
	struct query *q = arg;

	q->done(q->arg, &q->answer, false, q->why);
}

static bool ask_next(struct query *q);

/* Both families have come to an end, for this name of the search. */
static void sum_up(struct query *q)
{
	if (resolve_answer_error(&q->answer) == ENOENT && ask_next(q))
		return;
	end_query(q);
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
	const struct timeval delay = {.tv_usec = RESOLVE_DELAY_MS * 1000};
	struct family_query *h = arg;
	struct query *q = h->query;
	int err = error_of(status);

	take_family(q, h->family, err, ai);
	if (ai)
		ares_freeaddrinfo(ai);
	if (err || !q->why)
		q->why = ares_strerror(status);
	if (--q->pending == 0)
		sum_up(q);
	else if (!err && !q->answer.err[h->family])
		evtimer_add(&q->delay, &delay);
}

/* Asks for the next name of the search. False: there is none. May end the question, and @q with it. */
static bool ask_next(struct query *q)
{
	static const int family[RESOLVE_FAMILIES] = {
		[RESOLVE_V4] = AF_INET, [RESOLVE_V6] = AF_INET6};
	struct resolve_dns *d = q->dns;
	char name[2 * RESOLVE_NAME_MAX + 2]; /* one that is too long finds nothing */

	if (!resolve_search_name(&d->search, q->name, q->step, name, sizeof(name)))
		return false;
	q->step++;
	q->pending = RESOLVE_FAMILIES + 1; /* one for us, as a query may end at once */
	for (int f = 0; f < RESOLVE_FAMILIES; f++)
		q->answer.err[f] = EINPROGRESS;
	for (int f = 0; f < RESOLVE_FAMILIES; f++) {
		/* No socket type: c-ares gives each address once whatever it is. */
		const struct ares_addrinfo_hints hints = {
			.ai_flags = ARES_AI_NOSORT,
			.ai_family = family[f],
		};

		q->by_family[f] = (struct family_query){
			.query = q,
			.family = (enum resolve_family)f,
		};
		ares_getaddrinfo(d->channel, name, NULL, &hints, on_answer, &q->by_family[f]);
	}
	if (--q->pending == 0)
		sum_up(q);
	return true;
}

/* /etc/hosts has the name: called back before ares_getaddrinfo() returns. */
static void on_hosts(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
	struct query *q = arg;

	for (int f = 0; f < RESOLVE_FAMILIES; f++)
		take_family(q, (enum resolve_family)f, error_of(status), ai);
	if (ai)
		ares_freeaddrinfo(ai);
	q->why = ares_strerror(status);
}

static bool in_hosts(struct query *q)
{
	static const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NOSORT,
		.ai_family = AF_UNSPEC,
	};
	size_t len = strlen(q->name);
	char bare[RESOLVE_NAME_MAX + 1];

	if (len && q->name[len - 1] == '.')
		len--;
	memcpy(bare, q->name, len);
	bare[len] = '\0';
	ares_getaddrinfo(q->dns->files, bare, NULL, &hints, on_hosts, q);
	return !resolve_answer_error(&q->answer);
}

void resolve_dns_query(struct resolve_dns *d, const char *name, resolve_dns_done *done, void *arg)
{
	struct resolve_answer none = {.err = {ENOBUFS, ENOBUFS}};
	size_t size = strlen(name) + 1;
	struct query *q = size <= RESOLVE_NAME_MAX + 1 ? calloc(1, sizeof(*q) + size) : NULL;

	if (!q) {
		done(arg, &none, true, ares_strerror(ARES_ENOMEM));
		return;
	}
	q->dns = d;
	q->done = done;
	q->arg = arg;
	memcpy(q->name, name, size);
	evtimer_assign(&q->delay, d->base, on_delay, q);
	if (in_hosts(q)) {
		end_query(q);
		return;
	}
	q->why = NULL;
	if (!ask_next(q))
		end_query(q);
	arm_timer(d);
}
