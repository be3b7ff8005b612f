// SPDX-License-Identifier: MIT
/* What a health check says on its connection, and what it has to hear. */
#include "edge/target/talk.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/loop/loop.h"
#include "edge/target/health.h"
#include "lib/base/addr.h"
#include "lib/base/container_of.h"
#include "lib/rule/escape.h"

struct talk {
	struct io io;
	LIST_ENTRY(talk) entry;
	struct talk_env *env;
	struct talk_want want;
	struct timer timer;
	struct deferred_free deferred;
	SSL *ssl;
	bool shaken; /* the hand-shake is over, if there is one */
	bool over;
	size_t sent, n_got;
	uint8_t got[RULE_TALK_BYTES_MAX];
};

static size_t decode(const char *text, uint8_t out[RULE_TALK_BYTES_MAX])
{
	ssize_t n = text ? rule_unescape(text, out, RULE_TALK_BYTES_MAX) : 0;

	/* The rule was checked. */
	return n > 0 ? (size_t)n : 0;
}

bool talk_script_of(const struct rule *r, struct talk_script *out)
{
	out->n_send = decode(r->talk.send, out->send);
	out->n_expect = decode(r->talk.expect, out->expect);
	out->tls = r->talk.tls;
	return out->n_send || out->n_expect || out->tls;
}

int talk_matches(const struct talk_script *s, const uint8_t *got, size_t n)
{
	size_t have = n < s->n_expect ? n : s->n_expect;

	if (memcmp(got, s->expect, have))
		return -1;
	return n >= s->n_expect;
}

SSL_CTX *talk_tls_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx)
		return NULL;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
	return ctx;
}

SSL_CTX *talk_tls_ref(SSL_CTX *tls)
{
	return tls && SSL_CTX_up_ref(tls) ? tls : NULL;
}

void talk_tls_unref(SSL_CTX *tls)
{
	SSL_CTX_free(tls);
}

static void free_talk(struct deferred_free *deferred)
{
	free(container_of(deferred, struct talk, deferred));
}

static void finish(struct talk *t, int result)
{
	t->over = true;
	LIST_REMOVE(t, entry);
	timer_clear(&t->env->loop->timers, &t->timer);
	SSL_free(t->ssl);
	ERR_clear_error();
	close(t->want.fd);
	t->want.done(t->want.arg, result);
	loop_defer_free(t->env->loop, &t->deferred, free_talk);
}

/* What a call of OpenSSL came to, as read(2) and write(2) have it: 0 for the end, -EAGAIN, -EIO. */
static ssize_t tls_result(struct talk *t, int n)
{
	if (n > 0)
		return n;
	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		return -EIO;
	}
}

static ssize_t put(struct talk *t, const uint8_t *bytes, size_t n)
{
	ssize_t put;

	if (t->ssl) {
		ERR_clear_error();
		return tls_result(t, SSL_write(t->ssl, bytes, (int)n));
	}
	put = send(t->want.fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return put < 0 ? -errno : put;
}

static ssize_t get(struct talk *t, uint8_t *bytes, size_t n)
{
	ssize_t got;

	if (t->ssl) {
		ERR_clear_error();
		return tls_result(t, SSL_read(t->ssl, bytes, (int)n));
	}
	got = recv(t->want.fd, bytes, n, MSG_DONTWAIT);
	return got < 0 ? -errno : got;
}

/* 0 when it is over, -EAGAIN, or an enum health_cause. */
static int shake_hands(struct talk *t)
{
	ssize_t n;

	if (!t->ssl || t->shaken)
		return 0;
	ERR_clear_error();
	n = tls_result(t, SSL_do_handshake(t->ssl));
	if (n == -EAGAIN)
		return -EAGAIN;
	t->shaken = n > 0;
	return t->shaken ? 0 : HEALTH_NO_TLS;
}

static int say(struct talk *t)
{
	const struct talk_script *s = t->want.script;

	while (t->sent < s->n_send) {
		ssize_t n = put(t, s->send + t->sent, s->n_send - t->sent);

		if (n == -EAGAIN)
			return -EAGAIN;
		if (n <= 0)
			return HEALTH_HUNG_UP;
		t->sent += (size_t)n;
	}
	return 0;
}

static int hear(struct talk *t)
{
	const struct talk_script *s = t->want.script;

	while (t->n_got < s->n_expect) {
		ssize_t n = get(t, t->got + t->n_got, s->n_expect - t->n_got);

		if (n == -EAGAIN)
			return -EAGAIN;
		if (n <= 0)
			return HEALTH_HUNG_UP;
		t->n_got += (size_t)n;
		if (talk_matches(s, t->got, t->n_got) < 0)
			return HEALTH_UNEXPECTED;
	}
	return 0;
}

/* Goes on as far as the socket lets it. */
static void go_on(struct talk *t)
{
	int result = shake_hands(t);

	if (!result)
		result = say(t);
	if (!result)
		result = hear(t);
	if (result != -EAGAIN)
		finish(t, result);
}

static void on_event(struct io *io, unsigned slot, uint32_t events)
{
	struct talk *t = (struct talk *)io;

	if (!t->over)
		go_on(t);
}

/* Before the verdict by time the socket itself is asked. */
static void on_timer(struct timer *timer)
{
	struct talk *t = container_of(timer, struct talk, timer);

	go_on(t);
	if (!t->over)
		finish(t, HEALTH_SILENT);
}

static bool begin_tls(struct talk *t)
{
	union addr a;

	t->ssl = SSL_new(t->want.tls);
	if (!t->ssl || !SSL_set_fd(t->ssl, t->want.fd))
		return false;
	SSL_set_connect_state(t->ssl);
	/* RFC 6066, 3: names only, without a final dot. */
	if (addr_parse_zoned(t->want.host, 0, &a)) {
		char name[256];
		size_t n = strnlen(t->want.host, sizeof(name) - 1);

		memcpy(name, t->want.host, n);
		if (n && name[n - 1] == '.')
			n--;
		name[n] = '\0';
		SSL_set_tlsext_host_name(t->ssl, name);
	}
	return true;
}

int talk_start(struct talk_env *env, const struct talk_want *want)
{
	struct talk *t = io_alloc(sizeof(*t));
	int err = -ENOMEM;

	if (!t)
		goto err;
	t->io.event = on_event;
	t->timer.fire = on_timer;
	t->env = env;
	t->want = *want;
	if (want->script->tls && (!want->tls || !begin_tls(t)))
		goto err;
	if (timer_set(&env->loop->timers, &t->timer, want->deadline_ns))
		goto err;
	/* What it can do already is raised as an event then. */
	err = loop_move(env->loop, want->fd, &t->io, 0, IO_STREAM);
	if (err)
		goto err_timer;
	LIST_INSERT_HEAD(&env->all, t, entry);
	return 0;

err_timer:
	timer_clear(&env->loop->timers, &t->timer);
err:
	if (t)
		SSL_free(t->ssl);
	free(t);
	close(want->fd);
	return err;
}

void talk_abandon_all(struct talk_env *env)
{
	while (!LIST_EMPTY(&env->all))
		finish(LIST_FIRST(&env->all), -ECANCELED);
}
