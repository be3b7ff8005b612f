// SPDX-License-Identifier: MIT
/* The client role: finding and reaching the server, opening calls. */
#include <errno.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/lookup.h"
#include "lib/grpc/conn.h"
#include "lib/grpc/handshake.h"
#include "lib/tls/tls.h"

/* What the client role keeps of a connection. Freed with it. */
struct grpc_client {
	struct grpc_conn *conn;
	const struct grpc_conn_ops *ops;
	void *arg;
	SSL_CTX *tls;
	struct tls_pin pin;
	char *host;
	char *authority;
	struct lookup *lookup;
	union addr *addrs; /* those not yet tried begin at `next` */
	size_t n, next;
	int fd; /* being connected; -1: none */
	struct event *connecting;
};

static void client_free(struct grpc_client *cl)
{
	if (cl->lookup)
		lookup_cancel(cl->lookup);
	if (cl->connecting)
		event_free(cl->connecting);
	if (cl->fd >= 0)
		close(cl->fd);
	SSL_CTX_free(cl->tls);
	free(cl->addrs);
	free(cl->host);
	free(cl->authority);
	free(cl);
}

static void client_up(struct grpc_conn *c)
{
	const struct grpc_client *cl = c->owner;

	if (cl->ops->up)
		cl->ops->up(c, cl->arg);
}

static void client_ended(struct grpc_conn *c)
{
	struct grpc_client *cl = c->owner;

	if (!c->silent && cl->ops->down)
		cl->ops->down(c, c->err, c->why, cl->arg);
	c->pin = NULL;
	client_free(cl);
}

static const struct h2conn_role client_role = {
	.up = client_up,
	.ended = client_ended,
};

static void try_next(struct grpc_client *cl, int err);

static void start_tls(struct grpc_client *cl)
{
	SSL *ssl = SSL_new(cl->tls);
	int fd = cl->fd;

	cl->fd = -1;
	if (!ssl || tls_client_prepare(ssl, &cl->pin, cl->host)) {
		SSL_free(ssl);
		close(fd);
		h2conn_fail(cl->conn, -ENOMEM, "out of memory");
		return;
	}
	h2conn_handshake(cl->conn, fd, ssl);
}

static void on_connect(evutil_socket_t fd, short what, void *arg)
{
	struct grpc_client *cl = arg;
	int err = ETIMEDOUT;
	socklen_t len = sizeof(err);

	event_free(cl->connecting);
	cl->connecting = NULL;
	if (cl->conn->state != CONN_SETUP)
		return;
	if (!(what & EV_TIMEOUT) && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (err)
		try_next(cl, err);
	else
		start_tls(cl);
}

/* Returns 0 when the attempt is on its way, or a positive errno. */
static int dial(struct grpc_client *cl, const union addr *to)
{
	unsigned int ms = cl->conn->limits.setup_ms;
	struct timeval tv;

	/* A silent address is given up early while there are others. */
	if (cl->next < cl->n)
		ms /= 4;
	tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
	cl->fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (cl->fd < 0)
		return errno;
	if (connect(cl->fd, &to->sa, addr_len(to)) && errno != EINPROGRESS)
		return errno;
	cl->connecting = event_new(cl->conn->base, cl->fd, EV_WRITE, on_connect, cl);
	if (!cl->connecting || event_add(cl->connecting, &tv))
		return ENOMEM;
	return 0;
}

/* Goes on with the next address; @err is the previous one's failure. */
static void try_next(struct grpc_client *cl, int err)
{
	char text[ADDR_TEXT_MAX];

	do {
		if (cl->connecting)
			event_free(cl->connecting);
		cl->connecting = NULL;
		if (cl->fd >= 0)
			close(cl->fd);
		cl->fd = -1;
		if (cl->next == cl->n) {
			h2conn_fail(cl->conn, -err, "connect to %s: %s",
				    addr_text(&cl->conn->peer, text, sizeof(text)), strerror(err));
			return;
		}
		cl->conn->peer = cl->addrs[cl->next++];
		err = dial(cl, &cl->conn->peer);
	} while (err);
}

static void on_lookup(const char *error, const union addr *addrs, size_t n, void *arg)
{
	struct grpc_client *cl = arg;

	cl->lookup = NULL;
	if (cl->conn->state != CONN_SETUP)
		return;
	if (error) {
		h2conn_fail(cl->conn, -EHOSTUNREACH, "look up %s: %s", cl->host, error);
		return;
	}
	cl->addrs = calloc(n, sizeof(*addrs));
	if (!cl->addrs) {
		h2conn_fail(cl->conn, -ENOMEM, "out of memory");
		return;
	}
	memcpy(cl->addrs, addrs, n * sizeof(*addrs));
	cl->n = n;
	try_next(cl, EHOSTUNREACH);
}

static char *make_authority(const struct grpc_client_conf *conf)
{
	bool v6 = strchr(conf->host, ':') && conf->host[0] != '[';
	char *out;

	return asprintf(&out, "%s%s%s:%u", v6 ? "[" : "", conf->host, v6 ? "]" : "", conf->port) < 0
		       ? NULL
		       : out;
}

struct grpc_conn *grpc_client_connect(struct event_base *base, const struct grpc_client_conf *conf,
				      const struct grpc_conn_ops *ops, void *arg)
{
	struct grpc_client *cl = calloc(1, sizeof(*cl));
	int err = ENOMEM;

	if (!cl)
		return NULL;
	*cl = (struct grpc_client){.ops = ops, .arg = arg, .fd = -1};
	memcpy(cl->pin.want, conf->pin, TLS_PIN_SIZE);
	cl->pin.has_next = conf->next_pin != NULL;
	if (conf->next_pin)
		memcpy(cl->pin.next, conf->next_pin, TLS_PIN_SIZE);
	cl->host = strdup(conf->host);
	cl->authority = make_authority(conf);
	cl->tls = tls_client_ctx(TLS_ALPN_H2);
	if (!cl->host || !cl->authority || !cl->tls)
		goto out;
	cl->lookup = lookup_start(base, conf->host, conf->port, on_lookup, cl);
	if (!cl->lookup) {
		err = errno;
		goto out;
	}
	cl->conn = h2conn_new(base, &client_role, cl, &conf->limits);
	if (!cl->conn)
		goto out;
	cl->conn->pin = &cl->pin;
	cl->conn->h2.authority = cl->authority;
	return cl->conn;
out:
	client_free(cl);
	errno = err;
	return NULL;
}

struct grpc_call *grpc_call_open(struct grpc_conn *c, const char *path, const char *authorization,
				 const struct grpc_call_ops *ops, void *arg)
{
	struct grpc_headers *head;
	struct grpc_call *call;

	if ((c->state != CONN_SETUP && c->state != CONN_UP) || c->h2.peer_goaway) {
		errno = ENOTCONN;
		return NULL;
	}
	call = h2call_new(&c->calls);
	if (!call) {
		errno = ENOMEM;
		return NULL;
	}
	call->ops = ops;
	call->arg = arg;
	head = &call->s.head;
	head->path = strdup(path);
	head->authorization = authorization ? strdup(authorization) : NULL;
	if (!head->path || (authorization && !head->authorization) ||
	    h2_submit_request(&c->h2, &call->s)) {
		h2call_destroy(call);
		errno = ENOMEM;
		return NULL;
	}
	event_active(c->kick, EV_TIMEOUT, 0);
	return call;
}
