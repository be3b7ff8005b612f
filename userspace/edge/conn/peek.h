/* SPDX-License-Identifier: MIT */
/* Clients of a port that routes by server name, until they have said which one they want. */
#ifndef PORTUNUS_EDGE_CONN_PEEK_H
#define PORTUNUS_EDGE_CONN_PEEK_H

#include <stdint.h>

struct accepted;
struct conn_env;
struct sni_table;

/* How long a client has for its ClientHello. */
#define PEEK_MS 3000

/* Before any peek of @env, and once the loop has freed what was deferred. */
void conn_peeks_init(struct conn_env *env);
void conn_peeks_close(struct conn_env *env);

/*
 * Takes over an accepted, non-blocking socket, reads its ClientHello, and makes it a connection of the
 * rule that @table has for its server name: whatever was read goes to the target first. One that brings no
 * hello, or that no rule wants, is closed and counted. @expected_slot is what its listener was tagged with.
 * Worker's thread, as all of it.
 */
void peek_begin(struct conn_env *env, struct sni_table *table, const struct accepted *client,
		uint64_t expected_slot);

/* Resets all that are under way. */
void peek_end_all(struct conn_env *env);

#endif
