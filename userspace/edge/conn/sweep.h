/* SPDX-License-Identifier: MIT */
/* The sweep over open connections: keep-alive for those that last, an end for those whose peer vanished. */
#ifndef PORTUNUS_EDGE_CONN_SWEEP_H
#define PORTUNUS_EDGE_CONN_SWEEP_H

#include <stdbool.h>

struct conn_env;

/* How long a peer may be silent before keep-alive asks, and how often; SO_KEEPALIVE stays as it is. */
void conn_set_keepalive_times(int fd);

/*
 * The sweep for peers that vanished: looks at up to @max connections, from where the last call ended;
 * returns false at the end of the round. One that has unacknowledged or unsent data and has heard
 * nothing from that peer for sweep_limit_ms, zero-window probes' answers included, is ended.
 * The time that this thread stood still itself (sweep_late_ms, the caller's) does not count.
 * TCP_USER_TIMEOUT would not do: it also kills a living peer that has stopped reading. The first
 * look at a connection also turns on keep-alive on both legs. Worker's thread.
 */
bool conn_sweep(struct conn_env *env, unsigned max);

#endif
