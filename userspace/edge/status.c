// SPDX-License-Identifier: MIT
/*
 * The local view: a Unix socket that answers one request per connection. Long answers are made piece
 * by piece as the client takes them, so neither memory nor the loop suffers from 10,000 rules.
 */
#include "edge/status.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/apply.h"
#include "edge/refresh.h"
#include "edge/report.h"
#include "edge/status_internal.h"
#include "edge/worker.h"
#include "lib/clock.h"

#define CLIENTS_MAX	32
#define REQUEST_MAX	4096
#define PIECE_RULES	64	    /* rules read in one turn of the loop */
#define LOW_WATER	(64 * 1024) /* of unsent bytes: the next piece is made */
#define ACCEPT_PAUSE_MS 500

static const struct timeval client_timeout = {.tv_sec = 10};
static const struct timeval accept_pause = {.tv_usec = ACCEPT_PAUSE_MS * 1000};

struct status {
	struct status_config config;
	char *path;
	dev_t dev; /* of the socket file we made */
	ino_t ino;
	int fd;
	struct event *listening, *resume;
	struct refresher *refresher;
	struct mailbox mailbox; /* from the workers */
	struct event *mail;
	uint64_t started_ns;
	TAILQ_HEAD(, client) clients; /* the oldest first */
	unsigned n_clients;
	unsigned fetching; /* chunks that are with a worker */
	bool stopping;
};

/* One connection to the socket. Main thread. */
struct client {
	struct status *status;
	TAILQ_ENTRY(client) entry;
	struct bufferevent *bev;
	struct event *deadline;		/* of the request */
	bool asked;			/* the request was read */
	bool away;			/* refresh or chunk is elsewhere: the struct has to stay */
	bool gone;			/* nobody reads the answer any more */
	void (*more)(struct client *c); /* makes the next piece; NULL: the answer is complete */
	bool comma;			/* something came before in the array */

	struct refresh refresh; /* stats */
	bool per_target;
	uint64_t *ids;
	size_t n, at;

	struct conn_chunk *chunk; /* connections */
	unsigned worker;
	uint8_t *seen; /* a bit for each client fd in the answer */
	size_t seen_bytes;
};

static void client_free(struct client *c)
{
	struct status *s = c->status;

	if (c->bev) {
		bufferevent_free(c->bev);
		c->bev = NULL;
	}
	if (c->deadline) {
		event_free(c->deadline);
		c->deadline = NULL;
	}
	c->gone = true;
	if (c->away)
		return;
	TAILQ_REMOVE(&s->clients, c, entry);
	s->n_clients--;
	free(c->ids);
	free(c->chunk);
	free(c->seen);
	free(c);
}

/* ---- writing ---- */

static int to_buffer(const char *text, size_t size, void *arg)
{
	return evbuffer_add(arg, text, size);
}

static struct evbuffer *output(struct client *c)
{
	return bufferevent_get_output(c->bev);
}

/* Takes @json over. Without memory the answer is cut, which the client can tell. */
static int write_json(struct client *c, json_t *json)
{
	int rc = json ? json_dump_callback(json, to_buffer, output(c), JSON_COMPACT) : -1;

	json_decref(json);
	return rc;
}

static void write_element(struct client *c, json_t *json)
{
	if (c->comma)
		evbuffer_add(output(c), ",", 1);
	c->comma = true;
	write_json(c, json);
}

/* The answer is complete; the client is freed when all is sent. */
static void finish(struct client *c, const char *tail)
{
	c->more = NULL;
	evbuffer_add(output(c), tail, strlen(tail));
}

static void answer(struct client *c, json_t *json)
{
	if (write_json(c, json) < 0)
		client_free(c);
	else
		finish(c, "\n");
}

static void answer_error(struct client *c, const char *code, const char *message)
{
	answer(c, status_error_json(code, message));
}

/* ---- stats ---- */

static void rules_piece(struct client *c)
{
	struct status *s = c->status;
	struct rule_report report;

	for (unsigned n = 0; c->at < c->n && n < PIECE_RULES; c->at++) {
		struct rule_state *rs = edge_find(s->config.edge, c->ids[c->at]);

		if (!rs) /* removed since the answer began */
			continue;
		report_rule(s->config.account, rs, &report);
		write_element(c, status_rule_json(&report, account_mode(s->config.account),
						  c->per_target));
		n++;
	}
	if (c->at == c->n)
		finish(c, "]}\n");
}

static void on_refreshed(struct refresh *r)
{
	struct client *c = (struct client *)((char *)r - offsetof(struct client, refresh));
	struct account *a = c->status->config.account;
	json_t *head;
	char *text;

	c->away = false;
	if (c->gone) {
		client_free(c);
		return;
	}
	head = json_pack("{s:s, s:s, s:s}", "accounting",
			 account_mode(a) == ACCOUNT_BPF ? "bpf" : "user", "accounting_reason",
			 account_reason(a), "refresh_error", r->result ? strerror(-r->result) : "");
	text = head ? json_dumps(head, JSON_COMPACT) : NULL;
	json_decref(head);
	if (!text) {
		client_free(c);
		return;
	}
	/* Without its closing brace: the rules follow. */
	evbuffer_add_printf(output(c), "%.*s,\"rules\":[", (int)strlen(text) - 1, text);
	free(text);
	c->more = rules_piece;
	rules_piece(c);
}

static void add_id(struct rule_state *rs, void *arg)
{
	struct client *c = arg;

	c->ids[c->n++] = rs->id;
}

static void start_stats(struct client *c, json_t *request)
{
	json_t *id = json_object_get(request, "rule_id");
	struct edge *e = c->status->config.edge;

	if (id && (!json_is_integer(id) || json_integer_value(id) < 0)) {
		answer_error(c, "invalid_request", "rule_id is a number");
		return;
	}
	if (id && !edge_find(e, (uint64_t)json_integer_value(id))) {
		answer_error(c, "rule_not_found", "there is no such rule");
		return;
	}
	c->per_target = json_is_true(json_object_get(request, "per_target"));
	c->ids = calloc(id ? 1 : edge_rules(e) + 1, sizeof(*c->ids));
	if (!c->ids) {
		client_free(c);
		return;
	}
	if (id)
		c->ids[c->n++] = (uint64_t)json_integer_value(id);
	else
		edge_each(e, add_id, c);
	c->away = true;
	c->refresh.done = on_refreshed;
	refresher_ask(c->status->refresher, &c->refresh);
}

/* ---- connections ---- */

static void fetch(struct client *c)
{
	if (c->away)
		return;
	c->away = true;
	c->status->fetching++;
	conn_chunk_fetch(c->chunk);
}

/*
 * Whether this connection is in the answer already: those that were accepted since the last chunk
 * push others back into the next one.
 */
static bool seen_before(struct client *c, int fd)
{
	size_t at = (size_t)fd / 8;
	uint8_t bit = (uint8_t)(1u << (fd % 8));

	if (at >= c->seen_bytes) {
		size_t size = (at + 1) * 2;
		uint8_t *more = realloc(c->seen, size);

		if (!more)
			return false;
		memset(more + c->seen_bytes, 0, size - c->seen_bytes);
		c->seen = more;
		c->seen_bytes = size;
	}
	if (c->seen[at] & bit)
		return true;
	c->seen[at] |= bit;
	return false;
}

static void on_chunk(struct conn_chunk *chunk)
{
	struct client *c = chunk->client;
	struct status *s = c->status;
	bool wrote = false;

	s->fetching--;
	c->away = false;
	for (unsigned i = 0; !c->gone && i < chunk->n; i++) {
		if (seen_before(c, chunk->row[i].client_fd))
			continue;
		write_element(c, status_conn_json(&chunk->row[i]));
		wrote = true;
	}
	conn_chunk_clear(chunk);
	if (c->gone || s->stopping) {
		client_free(c);
		return;
	}
	if (!chunk->more) {
		if (++c->worker == s->config.n_workers) {
			finish(c, "]}\n");
			return;
		}
		chunk->worker = &s->config.workers[c->worker];
		chunk->cursor = 0;
	}
	/* What was written is sent first, and then asks for more. */
	if (!wrote)
		fetch(c);
}

static void start_connections(struct client *c, json_t *request)
{
	c->chunk = calloc(1, sizeof(*c->chunk));
	if (!c->chunk) {
		client_free(c);
		return;
	}
	c->chunk->client = c;
	c->chunk->home = &c->status->mailbox;
	c->chunk->worker = &c->status->config.workers[0];
	c->chunk->arrived = on_chunk;
	evbuffer_add_printf(output(c), "{\"connections\":[");
	c->more = fetch;
	fetch(c);
}

/* ---- status, drain, undrain ---- */

static void start_status(struct client *c, json_t *request)
{
	struct status *s = c->status;

	answer(c, status_self_json(&s->config, (clock_mono_ns() - s->started_ns) / NS_PER_SEC));
}

static void set_drained(struct client *c, json_t *request, bool drained)
{
	json_t *id = json_object_get(request, "rule_id"), *row = json_object_get(request, "index");
	bool kill = drained && json_is_true(json_object_get(request, "kill"));
	struct edge *e = c->status->config.edge;
	struct rule_state *rs;
	struct target *t;
	unsigned active;
	int err;

	if (!json_is_integer(id) || !json_is_integer(row) || json_integer_value(id) < 0 ||
	    json_integer_value(row) < 0) {
		answer_error(c, "invalid_request", "rule_id and index are numbers");
		return;
	}
	rs = edge_find(e, (uint64_t)json_integer_value(id));
	if (!rs) {
		answer_error(c, "rule_not_found", "there is no such rule");
		return;
	}
	if (json_integer_value(row) >= rs->service->n) {
		answer_error(c, "target_not_found", "the rule has no target with this index");
		return;
	}
	t = rs->service->target[json_integer_value(row)];
	active = atomic_load(&t->active); /* before any of them is ended */
	err = edge_drain_target(e, rs->id, (unsigned)json_integer_value(row), drained, kill);
	if (err) {
		answer_error(c, "drain_failed", strerror(-err));
		return;
	}
	answer(c, json_pack("{s:I, s:I, s:s, s:i, s:b, s:b, s:I}", "rule_id",
			    json_integer_value(id), "index", json_integer_value(row), "host",
			    t->host, "port", (int)t->port, "drained", drained, "killed", kill,
			    "active_connections", (json_int_t)active));
}

static void start_drain(struct client *c, json_t *request)
{
	set_drained(c, request, true);
}

static void start_undrain(struct client *c, json_t *request)
{
	set_drained(c, request, false);
}

/* ---- requests ---- */

static const struct {
	const char *verb;
	void (*start)(struct client *c, json_t *request);
} verbs[] = {
	{"stats", start_stats}, {"connections", start_connections}, {"status", start_status},
	{"drain", start_drain}, {"undrain", start_undrain},
};

static void stop_reading(struct client *c)
{
	c->asked = true;
	event_del(c->deadline);
	bufferevent_disable(c->bev, EV_READ);
}

static void handle(struct client *c, const char *line, size_t len)
{
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *verb = json_string_value(json_object_get(request, "verb"));
	size_t i = 0, n = sizeof(verbs) / sizeof(verbs[0]);

	stop_reading(c);
	while (verb && i < n && strcmp(verb, verbs[i].verb))
		i++;
	if (!verb)
		answer_error(c, "invalid_request", "the request is a line of JSON with a \"verb\"");
	else if (i == n)
		answer_error(c, "unknown_verb", "this portunus-client has no such verb");
	else
		verbs[i].start(c, request);
	json_decref(request);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct client *c = arg;
	size_t len;
	char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);

	if (line && len <= REQUEST_MAX) {
		handle(c, line, len);
	} else if (line || evbuffer_get_length(in) > REQUEST_MAX) {
		stop_reading(c);
		answer_error(c, "invalid_request", "the request is longer than 4 KiB");
	}
	free(line);
}

/* All but LOW_WATER is with the kernel. */
static void on_write(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;

	if (c->more)
		c->more(c);
	else if (c->asked && !c->away && !evbuffer_get_length(output(c)))
		client_free(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(in);

	/* A request may also end with the sender's end, and that may come after the request. */
	if ((what & BEV_EVENT_EOF) && !c->asked && len && len <= REQUEST_MAX)
		handle(c, (const char *)evbuffer_pullup(in, -1), len);
	else
		client_free(c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	client_free(arg);
}

/* ---- accepting ---- */

static void refuse(int fd)
{
	static const char busy[] = "{\"error\":{\"code\":\"busy\",\"message\":"
				   "\"32 others ask just now; try again\"}}\n";

	send(fd, busy, sizeof(busy) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

/* Makes room by ending the oldest client that has not asked yet: those must not keep others out. */
static bool make_room(struct status *s)
{
	struct client *c;

	if (s->n_clients < CLIENTS_MAX)
		return true;
	TAILQ_FOREACH(c, &s->clients, entry)
	if (!c->asked) {
		client_free(c);
		return true;
	}
	return false;
}

static void client_new(struct status *s, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return;
	}
	c->status = s;
	TAILQ_INSERT_TAIL(&s->clients, c, entry);
	s->n_clients++;
	c->bev = bufferevent_socket_new(s->config.base, fd, BEV_OPT_CLOSE_ON_FREE);
	c->deadline = evtimer_new(s->config.base, on_deadline, c);
	if (!c->bev || !c->deadline) {
		if (!c->bev)
			close(fd);
		client_free(c);
		return;
	}
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, REQUEST_MAX + 1);
	bufferevent_setwatermark(c->bev, EV_WRITE, LOW_WATER, 0);
	/* For a client that does not take its answer; the request has an absolute deadline. */
	bufferevent_set_timeouts(c->bev, NULL, &client_timeout);
	event_add(c->deadline, &client_timeout);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct status *s = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0 && make_room(s)) {
		client_new(s, fd);
	} else if (fd >= 0) {
		refuse(fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		/* The queue stays readable: without a pause this would spin. */
		event_del(s->listening);
		event_add(s->resume, &accept_pause);
	}
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct status *s = arg;

	event_add(s->listening, NULL);
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
	mailbox_run(arg);
}

struct status *status_new(const struct status_config *config)
{
	struct status *s = calloc(1, sizeof(*s));
	int err = ENOMEM;

	if (!s)
		return NULL;
	s->config = *config;
	s->started_ns = clock_mono_ns();
	TAILQ_INIT(&s->clients);
	s->path = strdup(config->path);
	if (!s->path || mailbox_init(&s->mailbox) < 0)
		goto err_free;
	s->refresher = refresher_new(config->base, config->account);
	if (!s->refresher) {
		err = errno;
		goto err_mailbox;
	}
	s->fd = status_listen(s->path, &s->dev, &s->ino);
	if (s->fd < 0) {
		err = -s->fd;
		goto err_refresher;
	}
	s->mail = event_new(config->base, s->mailbox.fd, EV_READ | EV_PERSIST, on_mail,
			    &s->mailbox);
	s->listening = event_new(config->base, s->fd, EV_READ | EV_PERSIST, on_accept, s);
	s->resume = evtimer_new(config->base, on_resume, s);
	if (s->mail && s->listening && s->resume && !event_add(s->mail, NULL) &&
	    !event_add(s->listening, NULL))
		return s;
	status_free(s);
	errno = ENOMEM;
	return NULL;

err_refresher:
	refresher_free(s->refresher);
err_mailbox:
	mailbox_close(&s->mailbox);
err_free:
	free(s->path);
	free(s);
	errno = err;
	return NULL;
}

void status_free(struct status *s)
{
	struct client *c, *next;

	if (!s)
		return;
	s->stopping = true;
	/* What is with others comes back first: from the refresher, then from the workers, which may
	 * have been stopped already if nothing is with them. */
	for (c = TAILQ_FIRST(&s->clients); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		client_free(c);
	}
	refresher_free(s->refresher);
	mailbox_run(&s->mailbox);
	if (s->fetching)
		workers_barrier(s->config.workers, s->config.n_workers);
	mailbox_close(&s->mailbox);
	if (s->listening)
		event_free(s->listening);
	if (s->resume)
		event_free(s->resume);
	if (s->mail)
		event_free(s->mail);
	status_unlisten(s->fd, s->path, s->dev, s->ino);
	free(s->path);
	free(s);
}
