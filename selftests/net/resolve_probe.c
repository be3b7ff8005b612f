// SPDX-License-Identifier: MIT
/*
 * The real resolver under a line of commands: what test_resolve drives. The main thread runs the
 * loop; commands are read, and names looked up, in others. Reads from stdin
 *   ask NAME [6]         one resolve_lookup()
 *   wait NAME [6]        asks until there is an answer, as a connection does
 *   many N NAME          N threads wait at once
 *   burst N SUFFIX       asks for N names "nI.SUFFIX" at once and counts the outcomes
 *   again NAME           resolve_again(): "asked" or "not asked"
 *   reload               resolve_reload()
 * and answers each with one line: "0 ADDRESS…" or "EAGAIN", …, then " MS" milliseconds.
 */
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/loop/mailbox.h"
#include "edge/resolve/addrs.h"
#include "edge/resolve/resolve.h"
#include "edge/resolve/waiter.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"

#define THREADS_MAX 200
#define ANSWER_MAX  600

struct probe {
	struct event_base *base;
	struct resolver *resolver;
	struct mailbox box; /* to the main thread */
	pthread_mutex_t lock;
	pthread_cond_t told;
};

struct order {
	struct job job;
	struct probe *probe;
	bool quit;
};

/* A thread that waits, as a worker does: with an inbox of its own. */
struct waiter {
	pthread_t thread;
	struct probe *probe;
	struct resolve_inbox inbox;
	bool woken; /* under the probe's lock */
	const char *name;
	bool prefer_ipv6;
	char answer[ANSWER_MAX];
};

static void on_wake(struct resolve_inbox *inbox)
{
	struct waiter *w = container_of(inbox, struct waiter, inbox);

	pthread_mutex_lock(&w->probe->lock);
	w->woken = true;
	pthread_cond_broadcast(&w->probe->told);
	pthread_mutex_unlock(&w->probe->lock);
}

static void outcome(int rc, const struct resolve_addrs *out, char *text, size_t size)
{
	char addr[ADDR_TEXT_MAX];
	size_t n;

	if (rc) {
		snprintf(text, size, "%s", strerrorname_np(-rc));
		return;
	}
	n = (size_t)snprintf(text, size, "0");
	for (unsigned i = 0; i < out->n; i++)
		n += (size_t)snprintf(text + n, size - n, " %s",
				      addr_text(&out->addr[i], addr, sizeof(addr)));
}

/* As a connection does: told to wait, it asks again when its inbox has something. */
static void *wait_for(void *arg)
{
	struct waiter *w = arg;
	struct resolve_waiter me = {.inbox = &w->inbox};
	struct probe *p = w->probe;
	struct resolve_addrs out;
	int rc;

	w->inbox.wake = on_wake;
	LIST_INIT(&w->inbox.ready);
	for (;;) {
		rc = resolve_lookup(p->resolver, w->name, 80, w->prefer_ipv6, &out, &me);
		if (rc != -EAGAIN)
			break;
		pthread_mutex_lock(&p->lock);
		while (!w->woken)
			pthread_cond_wait(&p->told, &p->lock);
		w->woken = false;
		pthread_mutex_unlock(&p->lock);
		while (resolve_next_ready(p->resolver, &w->inbox))
			;
	}
	outcome(rc, &out, w->answer, sizeof(w->answer));
	return NULL;
}

static void wait_many(struct probe *p, unsigned n, const char *name, char *answer, size_t size)
{
	static struct waiter w[THREADS_MAX];
	unsigned started, same = 0;

	for (started = 0; started < n && started < THREADS_MAX; started++) {
		w[started] = (struct waiter){.probe = p, .name = name};
		if (pthread_create(&w[started].thread, NULL, wait_for, &w[started]))
			break;
	}
	for (unsigned i = 0; i < started; i++) {
		pthread_join(w[i].thread, NULL);
		same += !strcmp(w[i].answer, w[0].answer);
	}
	snprintf(answer, size, "%u %s", same, w[0].answer);
}

static void burst(struct probe *p, unsigned n, const char *suffix, char *answer, size_t size)
{
	unsigned again = 0, busy = 0;
	struct resolve_addrs out;
	char name[320];

	for (unsigned i = 0; i < n; i++) {
		int rc;

		snprintf(name, sizeof(name), "n%u.%s", i, suffix);
		rc = resolve_lookup(p->resolver, name, 80, false, &out, NULL);
		again += rc == -EAGAIN;
		busy += rc == -EBUSY;
	}
	snprintf(answer, size, "%u EAGAIN %u EBUSY", again, busy);
}

static void obey(struct job *job)
{
	struct order *o = (struct order *)job;

	if (o->quit)
		event_base_loopbreak(o->probe->base);
	else
		resolve_reload(o->probe->resolver);
	free(o);
}

static void give_order(struct probe *p, bool quit)
{
	struct order *o = calloc(1, sizeof(*o));

	if (!o)
		abort();
	*o = (struct order){.job.run = obey, .probe = p, .quit = quit};
	mailbox_post(&p->box, &o->job);
}

static void *read_commands(void *arg)
{
	char line[512], verb[16], a[300], b[300], answer[ANSWER_MAX + 16];
	struct probe *p = arg;

	while (fgets(line, sizeof(line), stdin)) {
		int n = sscanf(line, "%15s %299s %299s", verb, a, b);
		uint64_t start = clock_mono_ns();

		snprintf(answer, sizeof(answer), "?");
		if (n >= 2 && !strcmp(verb, "ask")) {
			struct resolve_addrs out;
			int rc = resolve_lookup(p->resolver, a, 80, n > 2, &out, NULL);

			outcome(rc, &out, answer, sizeof(answer));
		} else if (n >= 2 && !strcmp(verb, "wait")) {
			struct waiter w = {.probe = p, .name = a, .prefer_ipv6 = n > 2};

			wait_for(&w);
			memcpy(answer, w.answer, sizeof(w.answer));
		} else if (n == 3 && !strcmp(verb, "many")) {
			wait_many(p, (unsigned)atoi(a), b, answer, sizeof(answer));
		} else if (n == 3 && !strcmp(verb, "burst")) {
			burst(p, (unsigned)atoi(a), b, answer, sizeof(answer));
		} else if (n == 2 && !strcmp(verb, "again")) {
			snprintf(answer, sizeof(answer), "%s",
				 resolve_again(p->resolver, a, NULL) ? "asked" : "not asked");
		} else if (n == 1 && !strcmp(verb, "reload")) {
			give_order(p, false);
			snprintf(answer, sizeof(answer), "0");
		}
		printf("%s %llu\n", answer,
		       (unsigned long long)((clock_mono_ns() - start) / NS_PER_MS));
		fflush(stdout);
	}
	give_order(p, true);
	return NULL;
}

static void on_box(evutil_socket_t fd, short what, void *arg)
{
	mailbox_run(arg);
}

int main(void)
{
	struct probe p = {.lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER};
	struct event *box;
	pthread_t reader;
	int rc = 1;

	log_init("resolve_probe", getenv("RUST_LOG"));
	p.base = event_base_new();
	if (!p.base || mailbox_init(&p.box) < 0)
		return 1;
	box = event_new(p.base, p.box.fd, EV_READ | EV_PERSIST, on_box, &p.box);
	p.resolver = resolve_new(p.base);
	if (p.resolver && box && event_add(box, NULL) == 0 &&
	    pthread_create(&reader, NULL, read_commands, &p) == 0) {
		event_base_dispatch(p.base);
		pthread_join(reader, NULL);
		rc = 0;
	}
	resolve_free(p.resolver);
	if (box)
		event_free(box);
	mailbox_close(&p.box);
	event_base_free(p.base);
	return rc;
}
