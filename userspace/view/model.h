/* SPDX-License-Identifier: MIT */
/* What the terminal view knows of a running edge: rules, their figures, and the last minute of their rates. */
#ifndef PORTUNUS_VIEW_MODEL_H
#define PORTUNUS_VIEW_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIEW_TARGETS_MAX 8
#define VIEW_HISTORY	 60 /* seconds of rates */
#define VIEW_ERRORS	 12

struct json_t;

extern const char *const view_error_names[VIEW_ERRORS];

struct view_target {
	char name[300]; /* host:port */
	char proxy[4];	/* "v1", "v2" or empty */
	uint64_t priority;
	bool has_health; /* the daemon says how the target is */
	bool failed;
	uint64_t since_ms, in, out, conns, srtt_us;
	int last_errno;
};

struct view_figures {
	uint64_t in, out, conns_active, conns_total, datagrams_in, datagrams_out, flows, failovers;
	uint64_t err[VIEW_ERRORS];
};

struct view_rule {
	char *id, *name;
	char listen[24];
	bool udp;
	uint64_t max_flows;
	bool failed; /* it does not listen */
	char reason[48];
	unsigned n_targets;
	struct view_target target[VIEW_TARGETS_MAX];
	bool has_figures;
	struct view_figures now, base; /* what it has, and had when totals began */
	double in_per_s, out_per_s;
	unsigned n_history; /* of the last seconds; the newest comes first */
	double in_history[VIEW_HISTORY], out_history[VIEW_HISTORY];
};

/* Owned by the view. */
struct view_model {
	char *label, *version;
	struct view_rule *rules;
	size_t n;
	bool connected;
	char trouble[128]; /* why not */
	uint64_t t_ms, uptime_ms, started_ms;
	uint64_t fd_open, fd_limit, rss_bytes; /* 0: unknown */
	uint64_t second_ms;		       /* when the history got its last second */
};

/* A greeting: other rules from now on; those that stay keep their history. False: it is none that is understood. */
bool view_take_hello(struct view_model *m, const struct json_t *hello);
bool view_take_snapshot(struct view_model *m, const struct json_t *snapshot);
/* Totals count from here. */
void view_set_base(struct view_model *m);
void view_model_clear(struct view_model *m);

/* The target that the next connection goes to, as far as is known; NULL: there is none. */
const struct view_target *view_best(const struct view_rule *r);
/* The sum of the rule's errors. */
uint64_t view_errors(const struct view_rule *r);

#endif
