/* SPDX-License-Identifier: MIT */
/* What edges report: the last figures of each rule, the exported counters, who waits for figures. */
#ifndef PORTUNUS_SERVER_FLEET_STATS_H
#define PORTUNUS_SERVER_FLEET_STATS_H

#include "server/fleet/sessions.h"

/* What edges report. */

#define FLEET_STATS_TIMEOUT_MS 500
#define FLEET_STALE_MS	       15000 /* three reports missed */

/*
 * Calls @done with figures that are no older than this call where the edge can be asked, else (or
 * after FLEET_STATS_TIMEOUT_MS) with the last report, with @per_port also of each port of a range; possibly at once. @r is NULL if the rule went.
 */
void fleet_refresh(struct fleet *f, struct fleet_rule *r, bool per_port,
		   void (*done)(void *, struct fleet_rule *), void *arg);
/* The last changes of health that edges have reported, of this server's life and before. */
const struct changes *fleet_changes(const struct fleet *f);
bool fleet_is_stale(const struct fleet_rule *r);
/* Milliseconds since the last report; 0 before the first. */
uint64_t fleet_report_age_ms(const struct fleet_rule *r);

/* ---- for the files of the fleet ---- */

/* Of struct session_events. */
void stats_on_report(struct session *s, const struct fleet_report *report);
/* A rule has changed from @was: its figures are of the targets and ports that it still has. */
void stats_on_change(struct fleet_rule *r, const struct rule *was);
/* Whoever waits for figures gets the last ones. */
void stats_on_session_end(struct session *s);

#endif
