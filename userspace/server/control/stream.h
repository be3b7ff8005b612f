/* SPDX-License-Identifier: MIT */
/* Control streams of edges over gRPC. */
#ifndef PORTUNUS_SERVER_CONTROL_STREAM_H
#define PORTUNUS_SERVER_CONTROL_STREAM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The edges' side of the network: Control/Channel and ClientEnrollment/Enroll on a gRPC server,
 * translated to and from the fleet. Loop thread.
 */
struct enroll;
struct event_base;
struct fleet;
struct grpc_call;
struct grpc_server;

struct sessions_config {
	struct event_base *base;
	struct fleet *fleet;
	uint64_t *auth_failures; /* AUTH_FAILURES of them (server/access/auth_failure.h) */
	uint32_t udp_flow_idle_secs, udp_max_flows_per_rule;
	bool no_sni_alert;
};

struct sessions;
struct sessions *sessions_new(const struct sessions_config *config);
/* Before the first connection: the port that codes name is known only once it is bound. */
void sessions_set_enroll(struct sessions *s, struct enroll *enroll);
/* After the gRPC server is gone. */
void sessions_free(struct sessions *s);

/* For struct grpc_server_ops.call, with the sessions as its argument. */
void sessions_call(struct grpc_server *server, struct grpc_call *call, const char *path,
		   const char *authorization, void *arg);

#endif
