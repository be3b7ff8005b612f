/* SPDX-License-Identifier: MIT */
/* Enrols the edge on the server's own host, and keeps its bundle fitting. */
#ifndef PORTUNUS_SERVER_RUN_LOCAL_EDGE_H
#define PORTUNUS_SERVER_RUN_LOCAL_EDGE_H

#include <stddef.h>

#include "lib/base/addr.h"

/* The credentials of the edge that `serve --edge` runs on this host. */
struct audit;
struct enroll;
struct fleet;

#define LOCAL_EDGE_BUNDLE "edge.bundle.json" /* in the data directory */

enum local_edge_news {
	LOCAL_EDGE_KEPT =
		'k', /* the bundle is of the same client, perhaps with another endpoint or token */
	LOCAL_EDGE_REPLACED =
		'r', /* it is another client's: a running edge has to be started anew */
};

struct local_edge {
	const char *name; /* that the edge gets when it is enrolled */
	const char *bundle_path;
	const char *cert_path; /* of the control listener */
	union addr grpc;       /* where it is bound; port 0 gave another one than last time */
	struct audit *audit;
	struct enroll *enroll;
	struct fleet *fleet;
};

/*
 * Sees to it that the bundle is good for this server: one with a token that the server knows is kept, with endpoint
 * and pin brought up to date; else the edge is enrolled, as its own client if it has been one (a revoked
 * one is enrolled again), as a new one if the name is free. Before the loop runs, so that no session is open.
 * Returns 0, or -errno with a sentence in @why; -EEXIST: the name is another edge's.
 */
int local_edge_enroll(const struct local_edge *l, enum local_edge_news *news, char *why,
		      size_t why_size);

#endif
