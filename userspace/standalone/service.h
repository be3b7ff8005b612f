/* SPDX-License-Identifier: MIT */
/* A configuration served: the edge's role, its reload, and what it shows. */
#ifndef PORTUNUS_STANDALONE_SERVICE_H
#define PORTUNUS_STANDALONE_SERVICE_H

struct config;
struct standalone_options;

/* Serves until a signal ends it. Takes @config over. Returns the status to exit with. Main thread. */
int service_run(const struct standalone_options *o, struct config *config);

/* A filter without a level that is known means warn. */
void service_set_filter(const struct standalone_options *o, const struct config *c);

#endif
