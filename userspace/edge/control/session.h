/* SPDX-License-Identifier: MIT */
/* What is said on one control stream: Hello, rules and their answers, reports. */
#ifndef PORTUNUS_EDGE_CONTROL_SESSION_H
#define PORTUNUS_EDGE_CONTROL_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/wire/portunus.pb-c.h"

struct rate_limit;
struct rule;
struct session;

/* What a server wants to know. */
struct stats_request {
	uint64_t id; /* never 0 */
	const uint64_t *rule_ids;
	size_t n;      /* 0: all rules */
	bool per_port; /* with a row for each port of a range by which something came */
};

/* What a session asks of its owner. Called from session_message() and the sending functions. */
struct session_ops {
	/* Hands over one packed message: 0, -EAGAIN (later, session_drained() follows), or -errno. */
	int (*send)(void *arg, const uint8_t *data, size_t len);
	/* Whether the server's messages should wait: those we owe it do not get through. */
	void (*pause)(void *arg, bool paused);
	/* The server has accepted us. */
	void (*welcome)(void *arg, const Portunus__V1__Welcome *w);
	/* Puts a rule in force. NULL: it is active; else the reason why not, valid until the return. */
	const char *(*push)(void *arg, const struct rule *rule);
	/* The server has this rule, in a form that this edge cannot serve: it got FAILED, and what is in
	 * force under that id stays so. */
	void (*refused)(void *arg, uint64_t rule_id);
	/*
	 * Stops serving a rule. False: there was none. The answer waits for session_saved(@*saved_by),
	 * unless that is 0: what went must not come back by a crash once the server knows it gone.
	 */
	bool (*remove)(void *arg, uint64_t rule_id, uint64_t *saved_by);
	/* The caps of an owner over all rules, valid until the return; NULL: there are none any more. */
	void (*owner_caps)(void *arg, const char *owner, const struct rate_limit *limit);
	/* The server has named every rule it has. @whole: this side has seen as many. */
	void (*replayed)(void *arg, bool whole);
	/* What the bundle is to have; session_credential_stored() follows. Valid until the return. */
	void (*credential)(void *arg, const Portunus__V1__CredentialUpdate *u);
	/* New connections of a rule go to its best target again. */
	void (*failback)(void *arg, uint64_t rule_id);
	/* The flows of a rule are wanted. */
	void (*flows_wanted)(void *arg, uint64_t request_id, uint64_t rule_id);
	/* A report is wanted of these rules (none: of all), read after now. */
	void (*stats_wanted)(void *arg, const struct stats_request *wanted);
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

/* An update of the bundle is on disk (@error ""), or why not. 0 or -errno. */
int session_credential_stored(struct session *s, uint64_t serial, const char *error);

/* What was removed up to this number is on disk: answers. 0 or -errno. */
int session_saved(struct session *s, uint64_t upto);

/* Answers a request for flows. 0 or -errno. */
int session_flows(struct session *s, Portunus__V1__FlowList *list);

/* Sends a report, unless older messages still wait: then -EAGAIN and session_drained() follows. */
int session_report(struct session *s, Portunus__V1__StatsReport *report);

/* There is room again. Sends what waited. 0 or -errno; -EAGAIN if not all of it went. */
int session_drained(struct session *s);

#endif
