// SPDX-License-Identifier: MIT
/* Clients of a port that routes by server name, until they have said which one they want. */
#include "edge/conn/peek.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/conn/accept.h"
#include "edge/conn/client_hello.h"
#include "edge/conn/core.h"
#include "edge/conn/sni_port.h"
#include "edge/conn/sni_table.h"
#include "edge/target/access_list.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"

#define HELD_LEAST 4096

/* A ClientHello is read into the worker's buffer first. */
_Static_assert(RELAY_COPY_BYTES >= HELLO_BYTES_MAX, "the buffer takes a whole ClientHello");

/* One client that has not said enough yet. Owned by its worker's thread. */
struct peek {
	struct io io;
	struct conn_env *env;
	LIST_ENTRY(peek) entry;
	struct sni_table *table; /* the version when it came */
	struct timer timer;
	struct deferred_free deferred;
	struct leftover *held; /* what was read; NULL: nothing yet */
	uint64_t began_ns, expected_slot;
	uint32_t room; /* of held->bytes */
	struct accepted client;
	struct sni_source source;
	bool watched; /* the loop knows the socket */
	bool over;
};

/* Where one read ends. */
enum progress { PEEK_WAITS, PEEK_HAS, PEEK_ENDED };

static void free_peek(struct deferred_free *deferred)
{
	struct peek *p = container_of(deferred, struct peek, deferred);

	slab_free(&p->env->peeks, p);
}

/* Gives all back but the socket and what was read. */
static void finish(struct peek *p)
{
	struct conn_env *env = p->env;

	p->over = true;
	timer_clear(&env->loop->timers, &p->timer);
	LIST_REMOVE(p, entry);
	atomic_fetch_sub_explicit(&env->n, 1, memory_order_relaxed);
	sni_port_leave(sni_table_port(p->table), env->dials.worker, &p->source,
		       env->loop->now_ns - p->began_ns);
	loop_defer_free(env->loop, &p->deferred, free_peek);
}

static void log_peek(const struct peek *p, const char *event, const char *name, const char *why)
{
	char peer[ADDR_TEXT_MAX];

	if (!log_enabled(LOG_DEBUG))
		return;
	log_event(LOG_DEBUG, event,
		  LOGF_UINT("listen_port", sni_port_number(sni_table_port(p->table))),
		  LOGF_STR("peer", addr_text(&p->client.peer, peer, sizeof(peer))),
		  LOGF_STR("server_name", name), LOGF_STR("reason", why));
}

/* ---- ends ---- */

/* Takes the socket out and closes it; with a FIN, unless the client has sent what nobody read. */
static void drop(struct peek *p)
{
	struct sni_table *table = p->table;

	finish(p);
	close(p->client.fd);
	free(p->held);
	sni_table_unref(table);
}

/* RFC 8446, 6: fatal, unrecognized_name; in a record of the version that every client takes. */
static void send_alert(struct peek *p)
{
	static const uint8_t alert[] = {21, 3, 1, 0, 2, 2, 112};
	const atomic_bool *off = p->env->no_sni_alert;

	if (off && atomic_load_explicit(off, memory_order_relaxed))
		return;
	if (send(p->client.fd, alert, sizeof(alert), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
	/* What is left unread would make close() send a RST, which takes the alert with it. */
	shutdown(p->client.fd, SHUT_WR);
	while (recv(p->client.fd, p->env->relay.buf, RELAY_COPY_BYTES, MSG_DONTWAIT) > 0)
		;
}

static void miss(struct peek *p, const char *name)
{
	sni_port_missed(sni_table_port(p->table), p->env->dials.worker);
	log_peek(p, "tls.sni_no_match", name, NULL);
	send_alert(p);
	drop(p);
}

static void go_on(struct peek *p, struct service *service, enum sni_match match)
{
	struct routed client = {
		.from = p->client,
		.match = (uint8_t)match,
		.watched = p->watched,
		.said = p->held,
		.expected_slot = p->expected_slot,
	};
	struct sni_table *table = p->table;

	finish(p);
	if (service->access && !access_list_permits(service->access, &p->client.peer)) {
		conn_refuse(p->env, service, p->client.fd, END_DENIED);
		free(p->held);
	} else {
		conn_routed(p->env, service, &client);
	}
	sni_table_unref(table);
}

/* There is a hello: the connection begins, or no rule wants it. */
static void route(struct peek *p, const struct client_hello *hello)
{
	const char *name = hello->has_name ? hello->name : NULL;
	enum sni_match match;
	struct service *s = sni_table_find(p->table, name, &match);

	if (!name)
		log_peek(p, "tls.no_sni", NULL, NULL);
	/* The table is of when the client came. */
	if (!s || atomic_load(&s->totals->over)) {
		miss(p, name);
		return;
	}
	if (log_enabled(LOG_DEBUG)) {
		char peer[ADDR_TEXT_MAX];

		log_event(LOG_DEBUG, "tls.sni_routed",
			  LOGF_UINT("listen_port", sni_port_number(sni_table_port(p->table))),
			  LOGF_STR("peer", addr_text(&p->client.peer, peer, sizeof(peer))),
			  LOGF_STR("server_name", name), LOGF_STR("alpn", hello->alpn),
			  LOGF_STR("match_kind", sni_match_text(match)),
			  LOGF_UINT("rule_id", s->rule->id));
	}
	go_on(p, s, match);
}

/* There will be none. A fallback may want such clients too, if there is a client still. */
static void fail(struct peek *p, const char *event, const char *why, bool gone)
{
	struct service *fallback = sni_table_fallback(p->table);

	if (!gone && fallback && fallback->rule->fallback_non_tls &&
	    !atomic_load(&fallback->totals->over)) {
		go_on(p, fallback, SNI_FALLBACK);
		return;
	}
	sni_port_failed(sni_table_port(p->table), p->env->dials.worker);
	log_peek(p, event, NULL, why);
	drop(p);
}

/* ---- reading ---- */

/* Room for what comes next. False without memory. */
static bool grow(struct peek *p)
{
	uint32_t room = p->room ? 2 * p->room : HELD_LEAST;
	struct leftover *more;

	if (room > HELLO_BYTES_MAX)
		room = HELLO_BYTES_MAX;
	more = realloc(p->held, sizeof(*more) + room);
	if (!more)
		return false;
	if (!p->held)
		more->at = more->len = 0;
	p->held = more;
	p->room = room;
	return true;
}

/* Keeps what is in the worker's buffer: the usual hello, which comes in one piece, is copied once. */
static bool keep(struct peek *p, size_t len, bool exact)
{
	uint32_t room = exact || len > HELD_LEAST ? (uint32_t)len : HELD_LEAST;

	p->held = malloc(sizeof(*p->held) + room);
	if (!p->held)
		return false;
	p->held->at = 0;
	p->held->len = (uint32_t)len;
	memcpy(p->held->bytes, p->env->relay.buf, len);
	p->room = room;
	return true;
}

/* Reads once. > 0 bytes, 0 at the end, or -errno; what there is by then is in p->held. */
static ssize_t read_once(struct peek *p, enum hello_verdict *verdict, struct client_hello *hello)
{
	struct leftover *h;
	ssize_t n;

	if (!p->held) {
		n = recv(p->client.fd, p->env->relay.buf, HELLO_BYTES_MAX, MSG_DONTWAIT);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		*verdict = client_hello_parse(p->env->relay.buf, (size_t)n, hello);
		return keep(p, (size_t)n, *verdict != HELLO_MORE) ? n : -ENOMEM;
	}
	if (p->held->len == p->room && !grow(p))
		return -ENOMEM;
	h = p->held;
	n = recv(p->client.fd, h->bytes + h->len, p->room - h->len, MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	h->len += (uint32_t)n;
	*verdict = client_hello_parse(h->bytes, h->len, hello);
	return n;
}

/* Reads what there is and acts on it. False: the peek is over. */
static bool read_hello(struct peek *p)
{
	enum hello_verdict verdict = HELLO_MORE;
	struct client_hello hello;
	ssize_t n;

	do
		n = read_once(p, &verdict, &hello);
	while (n > 0 && verdict == HELLO_MORE);
	if (n == -EAGAIN)
		return true;
	if (n < 0)
		fail(p, "tls.parse_failed", strerror((int)-n), true);
	else if (n == 0)
		fail(p, "tls.parse_failed", "the client has ended it", !p->held);
	else if (verdict == HELLO_WHOLE)
		route(p, &hello);
	else
		fail(p, "tls.parse_failed", hello_verdict_text(verdict), false);
	return false;
}

static void on_event(struct io *io, unsigned slot, uint32_t events)
{
	struct peek *p = container_of(io, struct peek, io);

	if (p->over)
		return;
	loop_does(p->env->loop, "reading a ClientHello");
	read_hello(p);
}

static void on_timer(struct timer *timer)
{
	struct peek *p = container_of(timer, struct peek, timer);

	/* Its last bytes may be here already. */
	if (read_hello(p))
		fail(p, "tls.client_hello_timeout", NULL, false);
}

/* ---- life ---- */

void conn_peeks_init(struct conn_env *env)
{
	slab_init(&env->peeks, sizeof(struct peek));
	LIST_INIT(&env->peeking);
}

void conn_peeks_close(struct conn_env *env)
{
	slab_close(&env->peeks);
}

static void reject(struct conn_env *env, struct sni_table *table, const struct accepted *client)
{
	char peer[ADDR_TEXT_MAX];

	if (log_enabled(LOG_DEBUG))
		log_event(LOG_DEBUG, "tls.rate_limit_reject",
			  LOGF_UINT("listen_port", sni_port_number(sni_table_port(table))),
			  LOGF_STR("peer", addr_text(&client->peer, peer, sizeof(peer))),
			  LOGF_STR("reason", "too many clients whose hello is waited for"));
	close_with_rst(client->fd);
}

static struct peek *peek_new(struct conn_env *env, struct sni_table *table,
			     const struct accepted *client, const struct sni_source *source)
{
	struct peek *p = slab_alloc(&env->peeks);

	if (!p)
		return NULL;
	p->io.event = on_event;
	p->timer.fire = on_timer;
	p->env = env;
	p->table = sni_table_ref(table);
	p->began_ns = env->loop->now_ns;
	p->client = *client;
	p->source = *source;
	LIST_INSERT_HEAD(&env->peeking, p, entry);
	atomic_fetch_add_explicit(&env->n, 1, memory_order_relaxed);
	return p;
}

/* The rest of it is waited for. Asked of the socket once more by being told of again (epoll(7)). */
static int watch(struct peek *p)
{
	struct loop *l = p->env->loop;
	int err = loop_add(l, p->client.fd, &p->io, CONN_CLIENT_SLOT,
			   EPOLLIN | EPOLLRDHUP | EPOLLET);

	p->watched = !err;
	return err ? err : timer_set(&l->timers, &p->timer, p->began_ns + PEEK_MS * NS_PER_MS);
}

void peek_begin(struct conn_env *env, struct sni_table *table, const struct accepted *client,
		uint64_t expected_slot)
{
	struct sni_port *port = sni_table_port(table);
	struct sni_source source = sni_source_of(&client->peer);
	struct peek *p;

	if (!sni_port_enter(port, env->dials.worker, &source)) {
		reject(env, table, client);
		return;
	}
	p = peek_new(env, table, client, &source);
	if (!p) {
		sni_port_leave(port, env->dials.worker, &source, 0);
		close_with_rst(client->fd);
		return;
	}
	p->expected_slot = expected_slot;
	if (!read_hello(p))
		return;
	if (watch(p) < 0)
		fail(p, "tls.parse_failed", "out of memory", true);
}

void peek_end_all(struct conn_env *env)
{
	while (!LIST_EMPTY(&env->peeking)) {
		struct peek *p = LIST_FIRST(&env->peeking);
		struct sni_table *table = p->table;

		finish(p);
		close_with_rst(p->client.fd);
		free(p->held);
		sni_table_unref(table);
	}
}
