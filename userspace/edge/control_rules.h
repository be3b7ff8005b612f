/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_EDGE_CONTROL_RULES_H
#define PORTUNUS_EDGE_CONTROL_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account;
struct control_rules;
struct edge;
struct event_base;
struct rule;

struct control_rules_config {
	struct event_base *base;
	struct edge *edge;
	struct account *account;
	const char *path;  /* of the saved set; copied */
	const char *scope; /* whose rules they are; copied */
};

/*
 * The rules as a server gives them: put into the edge's table, confirmed by each session, and saved.
 * Main thread. NULL for memory.
 */
struct control_rules *control_rules_new(const struct control_rules_config *config);
/* Saves nothing: control_rules_flush() comes before. */
void control_rules_free(struct control_rules *r);

/* Serves the saved set, all of it unconfirmed. Returns how many rules that are; logs what is wrong. */
size_t control_rules_load(struct control_rules *r);

/* The same rules are saved under another scope from now on. */
void control_rules_rescope(struct control_rules *r, const char *scope);

/* A session has begun: until the server names a rule again, it is unconfirmed. */
void control_rules_session(struct control_rules *r);

/*
 * Puts @rule in force; an unconfirmed rule in the way of its port is drained first. Returns NULL, or
 * why it is not active, which lives as long as the rule's state.
 */
const char *control_rules_push(struct control_rules *r, const struct rule *rule);

/* The server has this rule, but not in a form that can be served: an older one stays in force. */
void control_rules_refused(struct control_rules *r, uint64_t rule_id);

/* False: there is no such rule. The removal is on disk when this returns, unless they come in numbers. */
bool control_rules_remove(struct control_rules *r, uint64_t rule_id);

/* The server has named all it has: drains what is unconfirmed. */
void control_rules_replayed(struct control_rules *r);
size_t control_rules_unconfirmed(const struct control_rules *r);

/* The table has changed: it is saved within 200 ms. */
void control_rules_changed(struct control_rules *r);
/* Saves now, if there is something to save. */
void control_rules_flush(struct control_rules *r);

/* By order of the server: drains every rule and deletes the saved set; nothing is saved from now on
 * until the next session. */
void control_rules_revoke(struct control_rules *r);

#endif
