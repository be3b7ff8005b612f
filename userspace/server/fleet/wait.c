// SPDX-License-Identifier: MIT
/* The wait for an edge's answer, bounded by the rule's ack_timeout_secs. */
#include "server/fleet/wait.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "lib/base/clock.h"
#include "lib/base/ulid.h"

#define ACK_TIMEOUT_SECS     2
#define ACK_TIMEOUT_MAX_SECS 3600

struct fleet_push {
	struct fleet_rule *r;
	struct event *timeout;
	char request_id[ULID_SIZE];
	uint64_t began_ns;
	fleet_done done;
	void *arg;
	/* The outcome when it is known before the caller has returned; told from the loop. */
	bool decided, answered;
	struct fleet_error outcome;
};

void wait_free(struct fleet_push *p)
{
	if (p->timeout)
		event_free(p->timeout);
	free(p);
}

const char *wait_request_id(const struct fleet_push *p)
{
	return p->request_id;
}

void wait_fail(struct fleet_push *p, const struct fleet_error *err)
{
	p->done(p->arg, NULL, err);
	wait_free(p);
}

void wait_answered(struct fleet_push *p)
{
	p->answered = true;
	event_del(p->timeout);
}

bool wait_is_answered(const struct fleet_push *p)
{
	return p->answered;
}

bool wait_is_old(const struct fleet_push *p)
{
	return !p->answered && clock_mono_ns() - p->began_ns > ACK_TIMEOUT_SECS * NS_PER_SEC;
}

void wait_end(struct fleet_push *p, const struct fleet_error *err)
{
	bool gone = err && !strcmp(err->e.code, "rule_removed");
	struct fleet_rule *r = p->r;

	r->push = NULL;
	p->done(p->arg, gone ? NULL : r, err);
	wait_free(p);
}

void wait_cancel(struct fleet_push *p, int status, const char *code, const char *message)
{
	struct fleet_error err;

	fleet_error_set(&err, status, code, "%s: %s", code, message);
	if (strcmp(code, "rule_removed"))
		err.rule_id = p->r->rule->id;
	wait_end(p, &err);
}

/* What the edge has not confirmed stays stored: it gets that again, and may still answer. */
static void timed_out(evutil_socket_t fd, short what, void *arg)
{
	struct fleet_push *p = arg;

	if (p->decided)
		wait_end(p, &p->outcome);
	else
		wait_cancel(p, 504, "ack_timeout",
			    p->r->next ? "the edge did not answer in time; the rule goes on as it "
					 "was, and changes when the edge answers"
				       : "the edge did not answer in time; the rule stays pending "
					 "and takes effect when the edge answers");
}

struct fleet_push *wait_new(struct fleet *f, fleet_done done, void *arg)
{
	struct fleet_push *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->done = done;
	p->arg = arg;
	p->began_ns = clock_mono_ns();
	p->timeout = evtimer_new(f->base, timed_out, p);
	if (!p->timeout || ulid_new(clock_wall_ms(), p->request_id)) {
		wait_free(p);
		return NULL;
	}
	return p;
}

void wait_begin(struct fleet_push *p, struct fleet_rule *r, const struct rule *rule)
{
	uint64_t secs = rule->fields & RULE_HAS_ACK_TIMEOUT ? rule->ack_timeout_secs
							    : ACK_TIMEOUT_SECS;
	struct timeval wait = {.tv_sec = secs < ACK_TIMEOUT_MAX_SECS ? (time_t)secs
								     : ACK_TIMEOUT_MAX_SECS};

	p->r = r;
	r->push = p;
	event_add(p->timeout, &wait);
	if (!r->client->connected ||
	    outbox_send_push(&r->client->session->out, p->request_id, r->rule->id)) {
		p->decided = true;
		fleet_error_set(&p->outcome, 504, "ack_timeout",
				"ack_timeout: the session ended before the rule was sent; it is "
				"sent again when the edge reconnects");
		p->outcome.rule_id = r->rule->id;
		event_active(p->timeout, EV_TIMEOUT, 0);
	}
}
