/* SPDX-License-Identifier: MIT */
/* What a health check says on its connection, and what it has to hear. */
#ifndef PORTUNUS_EDGE_TARGET_TALK_H
#define PORTUNUS_EDGE_TARGET_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/rule/rule.h"

struct loop;
struct ssl_ctx_st;
struct talk;

/* A rule's talk, as bytes. */
struct talk_script {
	size_t n_send, n_expect; /* 0: nothing */
	bool tls;
	uint8_t send[RULE_TALK_BYTES_MAX], expect[RULE_TALK_BYTES_MAX];
};

/* Decodes what the rule says; false: that is nothing, a connect is the whole check. */
bool talk_script_of(const struct rule *r, struct talk_script *out);

/* Whether the @n bytes that have come from the target so far: 1 are what is expected, 0 may become that,
 * -1 never will. */
int talk_matches(const struct talk_script *s, const uint8_t *got, size_t n);

/* What the talks of one worker share. Owned by its thread. */
struct talk_env {
	struct loop *loop;
	LIST_HEAD(, talk) all;
};

struct talk_want {
	int fd;				  /* connected and registered with the loop; taken over */
	const struct talk_script *script; /* lives as long as the talk */
	struct ssl_ctx_st *tls;		  /* where the script asks for it */
	const char *host;		  /* of the target: the server name, unless an address */
	uint64_t deadline_ns;
	/* Once, never from talk_start(): 0, or an enum health_cause; -ECANCELED at the end; another
	 * negative errno for an error of this host. */
	void (*done)(void *arg, int result);
	void *arg;
};

/*
 * Talks: the hand-shake, what is sent, then what is heard until it is the expected prefix. Never
 * blocks. 0 or -ENOMEM; then @want->fd is closed. Worker's thread.
 */
int talk_start(struct talk_env *env, const struct talk_want *want);

/* Ends those under way, at the end. */
void talk_abandon_all(struct talk_env *env);

/* For the talks of all workers: any certificate will do, it is the service that is asked for. NULL for
 * memory. Reads OpenSSL's configuration: not on a loop. */
struct ssl_ctx_st *talk_tls_new(void);
/* Counted references; NULL stays NULL. Any thread. */
struct ssl_ctx_st *talk_tls_ref(struct ssl_ctx_st *tls);
void talk_tls_unref(struct ssl_ctx_st *tls);

#endif
