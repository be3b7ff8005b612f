// SPDX-License-Identifier: MIT
/* From a connected socket to a running HTTP/2 session: the TLS handshake, in both roles. */
#include "lib/grpc/handshake.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#include "lib/grpc/conn.h"
#include "lib/tls/tls.h"

static void explain_failure(struct grpc_conn *c, short what)
{
	unsigned long tls = bufferevent_get_openssl_error(c->bev);
	const char *reason = tls ? ERR_reason_error_string(tls) : NULL;
	int err = EVUTIL_SOCKET_ERROR();
	char text[256];

	if (c->pin && c->pin->mismatch) {
		tls_pin_explain(c->pin, text, sizeof(text));
		h2conn_fail(c, -EKEYREJECTED, "%s", text);
	} else if (reason) {
		h2conn_fail(c, -EPROTO, "TLS handshake: %s", reason);
	} else if ((what & BEV_EVENT_EOF) || !err) {
		h2conn_fail(c, -ECONNRESET,
			    "the other end closed the connection during the TLS handshake");
	} else {
		h2conn_fail(c, -err, "TLS handshake: %s", strerror(err));
	}
}

static void on_handshake(struct bufferevent *bev, short what, void *arg)
{
	struct grpc_conn *c = arg;

	if (c->state != CONN_SETUP)
		return;
	if (!(what & BEV_EVENT_CONNECTED))
		explain_failure(c, what);
	else if (!tls_alpn_is(bufferevent_openssl_get_ssl(bev), TLS_ALPN_H2))
		h2conn_fail(c, -EPROTONOSUPPORT,
			    "the other end does not speak HTTP/2 (no ALPN \"h2\")");
	else
		h2conn_start(c, bev);
}

void h2conn_handshake(struct grpc_conn *c, int fd, SSL *ssl)
{
	const int one = 1;
	enum bufferevent_ssl_state state = c->h2.server ? BUFFEREVENT_SSL_ACCEPTING
							: BUFFEREVENT_SSL_CONNECTING;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->bev = bufferevent_openssl_socket_new(c->base, fd, ssl, state,
						BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!c->bev) {
		SSL_free(ssl);
		close(fd);
		h2conn_fail(c, -ENOMEM, "out of memory");
		return;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(c->bev, 1);
	bufferevent_setcb(c->bev, NULL, NULL, on_handshake, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}
