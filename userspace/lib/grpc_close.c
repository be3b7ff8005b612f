// SPDX-License-Identifier: MIT
/* The ways a connection ends: at once, in order with GOAWAY, or because the peer misbehaves. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/grpc_impl.h"

static void set_why(struct grpc_conn *c, int err, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
static void set_why(struct grpc_conn *c, int err, const char *fmt, va_list ap)
{
	if (c->why[0])
		return;
	c->err = err;
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
}

void h2conn_note(struct grpc_conn *c, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_why(c, err, fmt, ap);
	va_end(ap);
}

void h2conn_fail(struct grpc_conn *c, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_why(c, err, fmt, ap);
	va_end(ap);
	c->state = CONN_DEAD;
	h2conn_kick(c);
}

/*
 * Everything is said: closes the sending half and waits for the peer to do the same. Closing at once could
 * reset the connection, and destroy the GOAWAY on its way, if the peer has just sent something.
 */
void h2conn_linger(struct grpc_conn *c)
{
	SSL *ssl = bufferevent_openssl_get_ssl(c->bev);

	h2conn_note(c, 0, "closed");
	c->state = CONN_LINGER;
	c->mute = true;
	if (ssl) {
		SSL_shutdown(ssl);
		ERR_clear_error();
	}
	shutdown(bufferevent_getfd(c->bev), SHUT_WR);
	bufferevent_disable(c->bev, EV_WRITE);
	h2conn_arm(c, c->limits.shutdown_ms);
}

bool h2conn_all_said(struct grpc_conn *c)
{
	if (nghttp2_session_want_write(c->h2) ||
	    evbuffer_get_length(bufferevent_get_output(c->bev)))
		return false;
	return c->mute || !nghttp2_session_want_read(c->h2);
}

void h2conn_shutdown(struct grpc_conn *c, const char *why)
{
	struct grpc_call *call;

	if (c->state == CONN_SETUP) {
		h2conn_fail(c, 0, "%s", why);
		return;
	}
	if (c->state != CONN_UP)
		return;
	h2conn_note(c, 0, "%s", why);
	c->state = CONN_CLOSING;
	nghttp2_submit_goaway(c->h2, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(c->h2), NGHTTP2_NO_ERROR,
			      (const uint8_t *)why, strlen(why));
	TAILQ_FOREACH(call, &c->calls, all)
	{
		if (c->role->server)
			grpc_call_finish(call, GRPC_UNAVAILABLE, why);
		else
			grpc_call_cancel(call, GRPC_UNAVAILABLE, why);
	}
	h2conn_arm(c, c->limits.shutdown_ms);
	h2conn_kick(c);
}

void h2conn_calm(struct grpc_conn *c, const char *what)
{
	if (c->state != CONN_UP && c->state != CONN_CLOSING)
		return;
	h2conn_note(c, -EPROTO, "the other end misbehaves: %s", what);
	c->state = CONN_CLOSING;
	c->mute = true;
	nghttp2_submit_goaway(c->h2, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(c->h2),
			      NGHTTP2_ENHANCE_YOUR_CALM, (const uint8_t *)what, strlen(what));
	h2conn_arm(c, c->limits.shutdown_ms);
	h2conn_kick(c);
}

void grpc_conn_close(struct grpc_conn *c)
{
	h2conn_shutdown(c, "closed by this side");
}
