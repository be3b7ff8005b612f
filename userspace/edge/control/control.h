/* SPDX-License-Identifier: MIT */
/* The control channel as the program sees it: begin and end, the bundle, news to and from the table. */
#ifndef PORTUNUS_EDGE_CONTROL_CONTROL_H
#define PORTUNUS_EDGE_CONTROL_CONTROL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account;
struct bundle;
struct control;
struct rule_table;
struct event_base;
struct offload;
struct flow_limits;
struct refresher;
struct rule_state;

#define CONTROL_SCOPE_MAX 384

struct control_config {
	struct event_base *base;
	struct rule_table *table;
	struct account *account;
	struct refresher *refresher;
	struct offload *files;		 /* reads the bundle, writes the saved set */
	const struct bundle *bundle;	 /* copied */
	const char *bundle_path;	 /* read again by control_reload(); outlives the channel */
	const char *saved_path;		 /* of the last rule set (saved_path()) */
	struct flow_limits *flow_limits; /* set by the server's welcome */
	atomic_bool *no_sni_alert;	 /* the same … */
	bool never_sni_alert; /* … unless this host's operator does not want it either */
	uint32_t reconnect_initial_ms, reconnect_max_secs;
	uint32_t report_interval_secs;
	void (*reloaded)(void *arg); /* what control_reload() asked for is done */
	void *arg;
};

/* Whose rules these are, for accounting and the saved set: "<server pin>/<client id>". */
void control_scope(const struct bundle *b, char out[CONTROL_SCOPE_MAX]);

/*
 * The control channel: serves the saved rules, then stays connected with the server. Losing it touches
 * neither rules nor connections nor counters. Main thread, all of it. NULL for memory.
 */
struct control *control_new(const struct control_config *config);
/* Ends the session and saves what has to be saved; rules stay as they are. Reports nothing further. */
void control_stop(struct control *c);
/* After the end of @files, before the refresher and the table. */
void control_free(struct control *c);

/* Reads the bundle again (SIGHUP) and uses it, if it is for the same client of the same server. */
void control_reload(struct control *c);
/* An address or route has changed: tries at once what would be tried later. */
void control_network_changed(struct control *c);

/* News from the edge's table, as rule_table_config.rules_changed and health_changed give it. */
void control_rules_news(struct control *c, struct rule_state *rs);
void control_health_news(struct control *c, const struct rule_state *rs);

/* For the local view. Texts live until the next turn of the loop. */
struct control_view {
	const char *server;	    /* host:port */
	const char *server_version; /* "" while not connected */
	const char *last_error;	    /* why the last session or attempt ended; "" */
	uint64_t since_unix_ms;	    /* connected, or not; 0: not yet */
	bool connected, revoked;
	size_t unconfirmed; /* rules that the server has not named in this session */
};
void control_view(const struct control *c, struct control_view *out);

#endif
