// SPDX-License-Identifier: MIT
/* The server role: listening, accepting, and the end of all its connections. */
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/late_bind.h"
#include "lib/base/log.h"
#include "lib/base/log_budget.h"
#include "lib/grpc/conn.h"
#include "lib/grpc/handshake.h"

#define ACCEPT_BACKLOG	  512
#define ACCEPT_PAUSE_MS	  200 /* when descriptors have run out */
#define CONNS_MAX	  4096
#define CONNS_PER_ADDRESS 1024
#define TELL_EVERY_NS	  (10 * NS_PER_SEC) /* of the lines about missing room */

/* Strangers have shown no credential; the longest here of them goes where room is needed. */
enum standing { STRANGER, KNOWN, LEAVING, STANDINGS };

/* What ties a connection to its server; outlives the server if the connection is in its turn. */
struct server_conn {
	TAILQ_ENTRY(server_conn) all;
	enum standing standing;
	struct grpc_server *server; /* NULL: gone */
	struct grpc_conn *conn;
};

struct grpc_server {
	struct event_base *base;
	const struct grpc_server_ops *ops;
	void *arg;
	SSL_CTX *tls;
	struct grpc_limits limits;
	struct evconnlistener *listener;
	struct event *resume; /* accepting, after a pause */
	struct event *stopped;
	uint16_t port;
	bool stopping;
	struct log_budget failures; /* log lines about accepting */
	struct grpc_server_figures figures;
	uint64_t told_ns; /* when missing room was last logged, and the figures then */
	struct grpc_server_figures told;
	TAILQ_HEAD(, server_conn) conns[STANDINGS]; /* each with the oldest first */
};

static unsigned int *count_of(struct grpc_server *s, enum standing standing)
{
	switch (standing) {
	case STRANGER:
		return &s->figures.strangers;
	case KNOWN:
		return &s->figures.known;
	default:
		return &s->figures.leaving;
	}
}

static void put_in(struct grpc_server *s, struct server_conn *sc, enum standing standing)
{
	sc->standing = standing;
	TAILQ_INSERT_TAIL(&s->conns[standing], sc, all);
	++*count_of(s, standing);
}

static void take_out(struct grpc_server *s, struct server_conn *sc)
{
	TAILQ_REMOVE(&s->conns[sc->standing], sc, all);
	--*count_of(s, sc->standing);
}

static bool is_empty(const struct grpc_server *s)
{
	return TAILQ_EMPTY(&s->conns[STRANGER]) && TAILQ_EMPTY(&s->conns[KNOWN]) &&
	       TAILQ_EMPTY(&s->conns[LEAVING]);
}

static void conn_up(struct grpc_conn *c)
{
}

static void conn_call(struct grpc_conn *c, struct grpc_call *call)
{
	const struct server_conn *sc = c->owner;

	if (sc->server && sc->server->ops->call)
		sc->server->ops->call(sc->server, call, call->s.head.path,
				      call->s.head.authorization, sc->server->arg);
}

static void conn_ended(struct grpc_conn *c)
{
	struct server_conn *sc = c->owner;
	struct grpc_server *s = sc->server;
	char peer[ADDR_TEXT_MAX];

	if (s) {
		take_out(s, sc);
		log_event(LOG_DEBUG, "grpc.connection_ended",
			  LOGF_STR("peer", addr_text(&c->peer, peer, sizeof(peer))),
			  LOGF_STR("reason", c->why));
		if (s->stopping && is_empty(s))
			event_active(s->stopped, EV_TIMEOUT, 0);
	}
	free(sc);
}

static const struct h2conn_role server_role = {
	.server = true,
	.up = conn_up,
	.call = conn_call,
	.ended = conn_ended,
};

void grpc_conn_known(struct grpc_conn *c)
{
	struct server_conn *sc = c->h2.server ? c->owner : NULL;

	if (!sc || !sc->server || sc->standing != STRANGER)
		return;
	take_out(sc->server, sc);
	put_in(sc->server, sc, KNOWN);
}

/* How many of @standing come from @peer's host; @first gets the oldest of them. */
static unsigned int from_host(const struct grpc_server *s, enum standing standing,
			      const union addr *peer, struct server_conn **first)
{
	struct server_conn *sc;
	unsigned int n = 0;

	TAILQ_FOREACH (sc, &s->conns[standing], all) {
		if (!addr_same_host(&sc->conn->peer, peer))
			continue;
		if (n++ == 0)
			*first = sc;
	}
	return n;
}

static void tell_no_room(struct grpc_server *s, const union addr *peer, const char *reason)
{
	uint64_t now = clock_mono_ns();
	char text[ADDR_TEXT_MAX];

	if (s->told_ns && now - s->told_ns < TELL_EVERY_NS)
		return;
	log_event(LOG_WARN, "grpc.no_room",
		  LOGF_STR("remote_addr", addr_text_host(peer, text, sizeof(text))),
		  LOGF_STR("reason", reason),
		  LOGF_UINT("refused", s->figures.refused - s->told.refused),
		  LOGF_UINT("ended_for_others",
			    s->figures.ended_for_others - s->told.ended_for_others),
		  LOGF_UINT("strangers", s->figures.strangers),
		  LOGF_UINT("known", s->figures.known));
	s->told_ns = now;
	s->told = s->figures;
}

/*
 * Whether a connection from @peer may come. Whoever shows a credential does so at once, so where all places
 * are taken the stranger who is here longest has to leave.
 */
static bool make_room(struct grpc_server *s, const union addr *peer)
{
	struct server_conn *oldest = NULL, *unused;
	const char *reason = NULL;

	if (!addr_is_loopback(peer) &&
	    from_host(s, STRANGER, peer, &oldest) + from_host(s, KNOWN, peer, &unused) >=
		    s->limits.conns_per_address) {
		reason = "too many connections of this address";
	} else if (s->figures.strangers + s->figures.known >= s->limits.conns_max) {
		reason = "too many connections";
		oldest = TAILQ_FIRST(&s->conns[STRANGER]);
	}
	if (!reason)
		return true;
	if (oldest) {
		take_out(s, oldest);
		put_in(s, oldest, LEAVING);
		s->figures.ended_for_others++;
		h2conn_fail(oldest->conn, -ECONNABORTED, "%s", reason);
	} else {
		s->figures.refused++;
	}
	tell_no_room(s, peer, reason);
	return oldest;
}

/* Takes @fd. Returns -ENOMEM when the connection cannot be kept. */
static int add_conn(struct grpc_server *s, int fd, const union addr *peer)
{
	struct server_conn *sc = calloc(1, sizeof(*sc));
	SSL *ssl = SSL_new(s->tls);

	if (sc && ssl)
		sc->conn = h2conn_new(s->base, &server_role, sc, &s->limits);
	if (!sc || !ssl || !sc->conn) {
		free(sc);
		SSL_free(ssl);
		close(fd);
		return -ENOMEM;
	}
	sc->server = s;
	sc->conn->peer = *peer;
	put_in(s, sc, STRANGER);
	h2conn_handshake(sc->conn, fd, ssl);
	return 0;
}

static void say_failed(struct grpc_server *s, const char *reason)
{
	uint64_t left_out;

	if (log_budget_take(&s->failures, clock_mono_ns(), &left_out))
		log_event(LOG_WARN, "grpc.accept_failed", LOGF_STR("reason", reason),
			  LOGF_UINT("left_out", left_out));
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
		      void *arg)
{
	struct grpc_server *s = arg;
	union addr peer = {0};

	memcpy(&peer, sa, (size_t)len < sizeof(peer) ? (size_t)len : sizeof(peer));
	if (!make_room(s, &peer))
		close(fd);
	else if (add_conn(s, fd, &peer))
		say_failed(s, "out of memory");
}

/* Without a pause the loop would spin: the connection stays in the backlog and wakes us again. */
static void on_accept_error(struct evconnlistener *l, void *arg)
{
	struct grpc_server *s = arg;
	const struct timeval pause = {.tv_usec = ACCEPT_PAUSE_MS * 1000};

	say_failed(s, strerror(EVUTIL_SOCKET_ERROR()));
	evconnlistener_disable(l);
	evtimer_add(s->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_server *s = arg;

	if (s->listener)
		evconnlistener_enable(s->listener);
}

static void on_stopped(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_server *s = arg;

	if (s->ops->stopped)
		s->ops->stopped(s, s->arg);
	s->ops = &(const struct grpc_server_ops){0};
	grpc_server_free(s);
}

/* Returns a listening socket or -errno. */
static int listen_on(const union addr *where, uint16_t *port)
{
	int fd = socket(where->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int one = 1, zero = 0;
	union addr bound;
	socklen_t len = sizeof(bound);
	int err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (where->sa.sa_family == AF_INET6) /* [::] serves both families */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	err = late_bind(fd, where);
	if (!err && (listen(fd, ACCEPT_BACKLOG) || getsockname(fd, &bound.sa, &len)))
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	*port = addr_port(&bound);
	return fd;
}

static int start_listening(struct grpc_server *s, const union addr *where)
{
	int fd = listen_on(where, &s->port);

	if (fd < 0)
		return fd;
	s->listener = evconnlistener_new(s->base, on_accept, s,
					 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1, fd);
	if (!s->listener) {
		close(fd);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(s->listener, on_accept_error);
	return 0;
}

int grpc_server_new(struct event_base *base, const struct grpc_server_conf *conf,
		    const struct grpc_server_ops *ops, void *arg, struct grpc_server **out)
{
	struct grpc_server *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	*s = (struct grpc_server){.base = base, .ops = ops, .arg = arg, .limits = conf->limits};
	for (int i = 0; i < STANDINGS; i++)
		TAILQ_INIT(&s->conns[i]);
	if (!s->limits.conns_max)
		s->limits.conns_max = CONNS_MAX;
	if (!s->limits.conns_per_address)
		s->limits.conns_per_address = CONNS_PER_ADDRESS;
	SSL_CTX_up_ref(conf->tls);
	s->tls = conf->tls;
	s->resume = evtimer_new(base, on_resume, s);
	s->stopped = event_new(base, -1, 0, on_stopped, s);
	rc = s->resume && s->stopped ? start_listening(s, &conf->listen) : -ENOMEM;
	if (rc) {
		grpc_server_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

const struct grpc_server_figures *grpc_server_figures(const struct grpc_server *s)
{
	return &s->figures;
}

uint16_t grpc_server_port(const struct grpc_server *s)
{
	return s->port;
}

static void stop_listening(struct grpc_server *s)
{
	if (s->listener)
		evconnlistener_free(s->listener);
	s->listener = NULL;
}

void grpc_server_shutdown(struct grpc_server *s)
{
	struct server_conn *sc;

	if (s->stopping)
		return;
	s->stopping = true;
	stop_listening(s);
	for (int i = 0; i < STANDINGS; i++)
		TAILQ_FOREACH (sc, &s->conns[i], all)
			h2conn_shutdown(sc->conn, "server is shutting down");
	if (is_empty(s))
		event_active(s->stopped, EV_TIMEOUT, 0);
}

void grpc_server_free(struct grpc_server *s)
{
	struct server_conn *sc;

	stop_listening(s);
	for (int i = 0; i < STANDINGS; i++)
		while ((sc = TAILQ_FIRST(&s->conns[i]))) {
			TAILQ_REMOVE(&s->conns[i], sc, all);
			sc->server = NULL;
			grpc_conn_free(sc->conn);
		}
	if (s->resume)
		event_free(s->resume);
	if (s->stopped)
		event_free(s->stopped);
	SSL_CTX_free(s->tls);
	free(s);
}
