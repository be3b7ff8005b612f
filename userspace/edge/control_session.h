/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_CONTROL_SESSION_H
#define PORTUNUS_EDGE_CONTROL_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/portunus.pb-c.h"

struct rule;
struct session;

/* What a session asks of its owner. Called from session_message() and the sending functions. */
struct session_ops {
	/* Hands over one packed message: 0, -EAGAIN (later, session_drained() follows), or -errno. */
	int (*send)(void *arg, const uint8_t *data, size_t len);
	/* Whether the server's messages should wait: those we owe it do not get through. */
	void (*pause)(void *arg, bool paused);
	/* The server has accepted us; @version is its own, or "". */
	void (*welcome)(void *arg, const char *version);
	/* Puts a rule in force. NULL: it is active; else the reason why not, valid until the return. */
	const char *(*push)(void *arg, const struct rule *rule);
	/* The server has this rule, in a form that this edge cannot serve: it got FAILED, and what is in
	 * force under that id stays so. */
	void (*refused)(void *arg, uint64_t rule_id);
	/* Stops serving a rule. False: there was none. */
	bool (*remove)(void *arg, uint64_t rule_id);
	/* The server has named every rule it has. @whole: this side has seen as many. */
	void (*replayed)(void *arg, bool whole);
	/* A report is wanted of these rules (none: of all), read after now. */
	void (*stats_wanted)(void *arg, uint64_t request_id, const uint64_t *ids, size_t n);
};

/*
 * One session with a server: what is said and answered on one control stream, whatever carries it.
 * Main thread. @ops is not copied. NULL for memory.
 */
struct session *session_new(const struct session_ops *ops, void *arg);
void session_free(struct session *s);

/* Sends Hello, which comes first and waits for nothing. 0 or -errno. */
int session_hello(struct session *s, bool kernel_accounting);

/*
 * Takes one message of the server. What it means for the rules is done, and answered, before this
 * returns. Unknown messages and fields are ignored. 0; -EBADMSG: it is no message, and nothing was
 * done; -errno: its answer could not be sent, and the session cannot go on.
 */
int session_message(struct session *s, const uint8_t *data, size_t len);
bool session_is_welcome(const struct session *s);

/* Tells of a rule whose bind has succeeded since. 0 or -errno. */
int session_rule_active(struct session *s, uint64_t rule_id);

/* Sends a report, unless older messages still wait: then -EAGAIN and session_drained() follows. */
int session_report(struct session *s, Portunus__V1__StatsReport *report);

/* There is room again. Sends what waited. 0 or -errno; -EAGAIN if not all of it went. */
int session_drained(struct session *s);

#endif
