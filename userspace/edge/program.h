/* SPDX-License-Identifier: MIT */
/* The parts of a running edge, as the files that start and stop it share them. */
#ifndef PORTUNUS_EDGE_PROGRAM_H
#define PORTUNUS_EDGE_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/options.h"
#include "edge/rules/file.h"
#include "edge/watch/lag.h"
#include "edge/watch/refresh.h"
#include "edge/worker/select.h"
#include "edge/worker/worker.h"
#include "lib/base/instance.h"
#include "lib/tls/bundle.h"

struct account;
struct control;
struct edge_role;
struct event;
struct event_base;
struct hops;
struct kernel_relay;
struct netlink;
struct offload;
struct prober;
struct refresher;
struct resolver;
struct rule_table;
struct rulefile_reader;
struct status;
struct watchdog;

/* The parts of a running edge. Main thread. */
struct program {
	struct options options;
	const struct edge_role *role; /* from edge_serve() on */
	struct event_base *base;
	struct account *account;
	struct resolver *resolver;
	struct kernel_relay *kernel;
	struct hops *hops, *flow_hops;
	struct watchdog *watchdog;
	struct worker workers[WORKERS_MAX];
	struct selector selector; /* of a worker, for each new connection */
	unsigned n_workers, fd_limit;
	struct rule_table *table;
	struct prober *prober;
	struct netlink *netlink;
	struct status *status;
	struct refresher *refresher;
	struct offload *files; /* what waits for a disk */
	struct rulefile_reader *rulefile;
	struct flow_limits flow_limits;
	atomic_bool no_sni_alert; /* the server does not want it */
	struct control *control;  /* NULL: the rules are a file's */
	struct rulefile file;	  /* until it is applied */
	struct bundle bundle;
	char bundle_path[4096];
	int signal_fd;
	struct event *signals, *account_news, *every_second, *sync, *drain, *alive;
	struct refresh regular; /* of the records, every REFRESH_EVERY_MS */
	bool refreshing;
	struct loop_lag lag;
	uint64_t drain_until_ns, refreshed_ns;
	char run_dir[INSTANCE_DIR_MAX];
	const char *also_writes; /* a directory that the role has files in; NULL: none */
	char rules_from[512];	 /* for the local view */
	const char *sandbox;	 /* "on", "incomplete" or "off" */
	int lock_fd;
};

#endif
