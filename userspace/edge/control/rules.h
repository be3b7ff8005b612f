/* SPDX-License-Identifier: MIT */
/* The server's rules in the edge's table: what a push, a replay and a revocation mean, and the saved set. */
#ifndef PORTUNUS_EDGE_CONTROL_RULES_H
#define PORTUNUS_EDGE_CONTROL_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account;
struct control_rules;
struct rule_table;
struct event_base;
struct offload;
struct rate_limit;
struct rule;

struct control_rules_config {
	struct event_base *base;
	struct rule_table *table;
	struct account *account;
	struct offload *files;
	const char *path;  /* of the saved set; copied */
	const char *scope; /* whose rules they are; copied */
	/* The changes up to this number are on disk, or could not be written, which was logged. */
	void (*saved)(void *arg, uint64_t upto);
	void *arg;
};

/*
 * The rules as a server gives them: put into the edge's table, confirmed by each session, and saved.
 * Main thread. NULL for memory.
 */
struct control_rules *control_rules_new(const struct control_rules_config *config);
/* Saves nothing: control_rules_flush() comes before, and after that the end of @files. */
void control_rules_free(struct control_rules *r);

/* Serves the saved set, all of it unconfirmed. Logs what is wrong. */
void control_rules_load(struct control_rules *r);

/* The same rules are saved under another scope from now on. */
void control_rules_rescope(struct control_rules *r, const char *scope);

/*
 * A session has begun: until the server names a rule again, it is unconfirmed; so are the caps of owners
 * if @names_owners, with a server that names them too.
 */
void control_rules_session(struct control_rules *r, bool names_owners);

/*
 * Puts @rule in force; an unconfirmed rule in the way of its port is drained first. Returns NULL, or
 * why it is not active, which lives as long as the rule's state.
 */
const char *control_rules_push(struct control_rules *r, const struct rule *rule);

/* The server has this rule, but not in a form that can be served: an older one stays in force. */
void control_rules_refused(struct control_rules *r, uint64_t rule_id);

/* False: there is no such rule. The removal is on disk when saved() has said @*saved_by; 0: it is. */
bool control_rules_remove(struct control_rules *r, uint64_t rule_id, uint64_t *saved_by);

/* Caps all rules of an owner, and saves that; NULL: there are no caps any more. */
void control_rules_cap_owner(struct control_rules *r, const char *owner,
			     const struct rate_limit *limit);

/* The server has named all it has: drains what is unconfirmed, and takes such caps away. */
void control_rules_replayed(struct control_rules *r);
size_t control_rules_unconfirmed(const struct control_rules *r);

/* The table has changed: writing begins within 200 ms. */
void control_rules_changed(struct control_rules *r);
/* Begins to write now, if there is something to save. */
void control_rules_flush(struct control_rules *r);

/* By order of the server: drains every rule and deletes the saved set; nothing is saved from now on
 * until the next session. */
void control_rules_revoke(struct control_rules *r);

#endif
