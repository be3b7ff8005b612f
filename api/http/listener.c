// SPDX-License-Identifier: MIT
/* Accepts operators' connections and keeps their number, their time and their output in bounds. */
#include "api/http/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "api/http/conn.h"
#include "api/http/peers.h"
#include "lib/base/late_bind.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/log_budget.h"

#define SWEEP_MS	250
#define ACCEPT_BATCH	32 /* then others have their turn */
#define ACCEPT_PAUSE_MS 100
#define BACKLOG		1024
#define HELD_NS		1000000

/* Answers up to this size are not counted together: so many connections have no more of them. */
#define HTTP_OUTPUT_SMALL (HTTP_OUTPUT_MAX / HTTP_CONNS_MAX)

TAILQ_HEAD(conn_list, http_conn);

struct http_listener {
	struct conn_env env;
	struct ssl_ctx_st *tls;
	bool (*vouched)(struct http_conn *c, void *arg);
	void (*on_call)(struct http_conn *c, void *arg);
	void *arg;
	struct conn_list strangers, known; /* oldest first */
	struct conn_list ended;		   /* to be freed from the loop */
	unsigned n;
	struct peers *peers;
	int fd;
	struct event *accept, *resume, *sweep;
	struct event *held; /* their turn, after everybody else's */
	uint64_t swept_ns;
	struct log_budget pauses; /* log lines about them */
};

static const struct http_wrong no_room = {503, "too_many_connections",
					  "the server's limits refuse this"};

static bool is_vouched(struct http_conn *c, void *arg)
{
	struct http_listener *l = arg;

	return l->vouched && l->vouched(c, l->arg);
}

static void on_request(struct http_conn *c, void *arg)
{
	struct http_listener *l = arg;

	l->on_call(c, l->arg);
}

static void on_known(struct http_conn *c, void *arg)
{
	struct http_listener *l = arg;

	TAILQ_REMOVE(&l->strangers, c, of_listener);
	TAILQ_INSERT_TAIL(&l->known, c, of_listener);
}

static void on_ended(struct http_conn *c, void *arg)
{
	struct http_listener *l = arg;
	struct conn_list *list = c->known ? &l->known : &l->strangers;

	http_peer_leave(l->peers, c->peer);
	c->peer = NULL;
	l->n--;
	TAILQ_REMOVE(list, c, of_listener);
	TAILQ_INSERT_TAIL(&l->ended, c, of_listener);
	event_active(l->sweep, EV_TIMEOUT, 0);
}

/* Adds up what a list has not sent; *oldest becomes the reader that has taken longest. */
static size_t unsent_of(struct conn_list *list, const struct http_conn *except,
			struct http_conn **oldest)
{
	size_t sum = 0;
	struct http_conn *c;

	TAILQ_FOREACH (c, list, of_listener) {
		size_t n = http_conn_unsent(c);

		sum += n;
		if (c != except && c->state == CONN_ANSWERING && n > HTTP_OUTPUT_SMALL &&
		    (!*oldest || c->answer_began_ns < (*oldest)->answer_began_ns))
			*oldest = c;
	}
	return sum;
}

/* A large answer was queued: the slowest readers make room when all together are too much. */
static void on_output(struct http_conn *c, void *arg)
{
	struct http_listener *l = arg;

	while (http_conn_unsent(c) > HTTP_OUTPUT_SMALL) {
		struct http_conn *slowest = NULL;

		if (unsent_of(&l->known, c, &slowest) + unsent_of(&l->strangers, c, &slowest) <=
			    HTTP_OUTPUT_MAX ||
		    !slowest)
			return;
		log_event(LOG_WARN, "api.reader_dropped",
			  LOGF_UINT("unread_bytes", http_conn_unsent(slowest)),
			  LOGF_STR("reason", "unread answers take too much memory"));
		http_conn_end(slowest);
	}
}

/* The stranger that has been here for longest and that no handler works for. */
static struct http_conn *evictable(struct http_listener *l)
{
	struct http_conn *c;

	TAILQ_FOREACH (c, &l->strangers, of_listener)
		if (c->state != CONN_BUSY)
			return c;
	return NULL;
}

static bool is_full(const struct http_listener *l, const struct http_conn *c)
{
	return l->n > HTTP_CONNS_MAX || (!addr_is_loopback(&c->addr) &&
					 http_peer_count(c->peer) > HTTP_CONNS_MAX_PER_ADDRESS);
}

/* Takes @fd. */
static void add_conn(struct http_listener *l, int fd, const union addr *addr)
{
	SSL *ssl = l->tls ? SSL_new(l->tls) : NULL;
	struct http_conn *c, *old;

	if (l->tls && !ssl) {
		close(fd);
		return;
	}
	c = http_conn_new(&l->env, fd, addr, ssl);
	if (!c)
		return;
	c->peer = http_peer_join(l->peers, addr);
	l->n++;
	TAILQ_INSERT_TAIL(&l->strangers, c, of_listener);
	if (!c->peer) {
		http_conn_end(c);
	} else if (is_full(l, c)) {
		/* Of one address too many: that one. In all too many: the oldest stranger. */
		old = l->n > HTTP_CONNS_MAX ? evictable(l) : c;
		if (old == c || !old)
			http_conn_refuse(c, &no_room);
		else
			http_conn_end(old);
	}
}

/* Strangers alone can take every descriptor, and a pause is short. */
static void say_paused(struct http_listener *l, int err)
{
	uint64_t left_out;

	if (log_budget_take(&l->pauses, clock_mono_ns(), &left_out))
		log_event(LOG_WARN, "api.accept_paused", LOGF_STR("error", strerror(err)),
			  LOGF_UINT("left_out", left_out));
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval pause = {.tv_usec = ACCEPT_PAUSE_MS * 1000};
	struct http_listener *l = arg;

	for (int i = 0; i < ACCEPT_BATCH; i++) {
		union addr addr = {.sa.sa_family = AF_UNSPEC};
		socklen_t len = sizeof(addr);
		int conn = accept4(fd, &addr.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (conn >= 0) {
			add_conn(l, conn, &addr);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			   errno == ENOBUFS) {
			/* It would fail again at once, for ever: the sockets wait in the kernel. */
			say_paused(l, errno);
			event_del(l->accept);
			event_add(l->resume, &pause);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
	}
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct http_listener *l = arg;

	event_add(l->accept, NULL);
}

static void tick(struct conn_list *list, uint64_t now)
{
	struct http_conn *c, *next;

	for (c = TAILQ_FIRST(list); c; c = next) {
		next = TAILQ_NEXT(c, of_listener);
		http_conn_tick(c, now);
	}
}

/* Those who were refused often, and whose time has come: a little at a time. */
static void on_held(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval soon = {.tv_usec = 1000};
	struct http_listener *l = arg;
	uint64_t now = clock_mono_ns(), until = now + HELD_NS;
	struct http_conn *c, *next;

	for (c = TAILQ_FIRST(&l->strangers); c; c = next) {
		next = TAILQ_NEXT(c, of_listener);
		if (http_conn_resume(c, now) && clock_mono_ns() > until) {
			event_add(l->held, &soon);
			return;
		}
	}
}

static void free_ended(struct http_listener *l)
{
	struct http_conn *c;

	while ((c = TAILQ_FIRST(&l->ended))) {
		TAILQ_REMOVE(&l->ended, c, of_listener);
		http_conn_free(c);
	}
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct http_listener *l = arg;
	uint64_t now = clock_mono_ns();

	free_ended(l);
	if (now - l->swept_ns < SWEEP_MS * NS_PER_MS / 2)
		return;
	l->swept_ns = now;
	tick(&l->strangers, now);
	tick(&l->known, now);
	event_active(l->held, EV_TIMEOUT, 0);
}

struct http_listener *http_listener_new(const struct http_listener_config *config)
{
	const struct timeval period = {.tv_usec = SWEEP_MS * 1000};
	struct http_listener *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->fd = -1;
	l->tls = config->tls;
	l->vouched = config->vouched;
	l->on_call = config->on_call;
	l->arg = config->arg;
	TAILQ_INIT(&l->strangers);
	TAILQ_INIT(&l->known);
	TAILQ_INIT(&l->ended);
	l->env = (struct conn_env){
		.base = config->base,
		.vouched = is_vouched,
		.request = on_request,
		.ended = on_ended,
		.output = on_output,
		.known = on_known,
		.arg = l,
		.deprioritise = event_base_get_npriorities(config->base) > 2,
	};
	l->peers = http_peers_new();
	l->sweep = event_new(config->base, -1, EV_PERSIST, on_sweep, l);
	l->resume = evtimer_new(config->base, on_resume, l);
	l->held = evtimer_new(config->base, on_held, l);
	if (!l->peers || !l->sweep || !l->resume || !l->held ||
	    (l->env.deprioritise && event_priority_set(l->held, 2)) ||
	    event_add(l->sweep, &period)) {
		http_listener_free(l);
		return NULL;
	}
	return l;
}

int http_listen(struct http_listener *l, const union addr *at, union addr *bound)
{
	socklen_t len = sizeof(*bound);
	const int on = 1;
	int err;

	l->fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return -errno;
	/* Inherited by what it accepts; without it an answer over TLS can wait 40 ms for an ACK. */
	if (setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		goto fail;
	err = late_bind(l->fd, at);
	errno = -err;
	if (err || listen(l->fd, BACKLOG) || getsockname(l->fd, &bound->sa, &len))
		goto fail;
	l->accept = event_new(l->env.base, l->fd, EV_READ | EV_PERSIST, on_accept, l);
	errno = ENOMEM;
	if (!l->accept || event_add(l->accept, NULL))
		goto fail;
	return 0;
fail:
	err = -errno;
	close(l->fd);
	l->fd = -1;
	return err;
}

static void end_all(struct conn_list *list)
{
	struct http_conn *c;

	while ((c = TAILQ_FIRST(list)))
		http_conn_end(c);
}

void http_listener_free(struct http_listener *l)
{
	if (!l)
		return;
	if (l->accept)
		event_free(l->accept);
	if (l->resume)
		event_free(l->resume);
	if (l->held)
		event_free(l->held);
	if (l->fd >= 0)
		close(l->fd);
	end_all(&l->strangers);
	end_all(&l->known);
	free_ended(l);
	if (l->sweep)
		event_free(l->sweep);
	http_peers_free(l->peers);
	free(l);
}
