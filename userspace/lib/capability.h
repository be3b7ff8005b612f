/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_LIB_CAPABILITY_H
#define PORTUNUS_LIB_CAPABILITY_H

/*
 * What an edge of ours announces in Hello.capabilities. A peer that does not announce one never
 * sees the message or the field that goes with it.
 */
#define CAPABILITY_RULE_UPDATE	 "rule-update"	 /* a PUSH of a known id replaces the rule */
#define CAPABILITY_RULE_OPTIONS	 "rule-options"	 /* time-outs, hedge delay, listen address */
#define CAPABILITY_STATS_REQUEST "stats-request" /* answers ServerMessage.stats_request */
#define CAPABILITY_REPLAY_DONE	 "replay-done"	 /* understands ServerMessage.replay_done */
#define CAPABILITY_VERSION	 "version="	 /* followed by the program's real version */
#define CAPABILITY_ACCOUNTING	 "accounting="	 /* followed by "bpf" or "user" */

#endif
