/* SPDX-License-Identifier: MIT */
/* The verbs themselves: what each asks the daemon, or does without it. */
#ifndef PORTUNUS_CTL_RUN_H
#define PORTUNUS_CTL_RUN_H

struct verb_call;

/* Each does what its name says and returns the exit status. Results go to stdout, errors to stderr. */
int verb_stats(const struct verb_call *call);
int verb_connections(const struct verb_call *call);
int verb_flows(const struct verb_call *call);
int verb_status(const struct verb_call *call);
int verb_metrics(const struct verb_call *call);
int verb_drain(const struct verb_call *call);
int verb_undrain(const struct verb_call *call);
int verb_failback(const struct verb_call *call);
int verb_unpin(const struct verb_call *call);
int verb_enroll(const struct verb_call *call);

#endif
