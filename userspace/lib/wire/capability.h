/* SPDX-License-Identifier: MIT */
/* The words by which an edge says what it can do beyond the existing interface. */
#ifndef PORTUNUS_LIB_WIRE_CAPABILITY_H
#define PORTUNUS_LIB_WIRE_CAPABILITY_H

/*
 * What an edge of ours announces in Hello.capabilities. A peer that does not announce one never
 * sees the message or the field that goes with it.
 */
#define CAPABILITY_RULE_UPDATE	 "rule-update"	  /* a PUSH of a known id replaces the rule */
#define CAPABILITY_RULE_OPTIONS	 "rule-options"	  /* time-outs, hedge delay, listen address */
#define CAPABILITY_FLOW_LIST	 "flow-list"	  /* answers ServerMessage.flow_list_request */
#define CAPABILITY_SOURCE	 "source-options" /* allow, deny and their kind */
#define CAPABILITY_RANGE_TARGETS "range-targets" /* of ranges: several targets, same_port, probes */
#define CAPABILITY_PROXY	 "proxy-protocol"    /* sends the headers that targets ask for */
#define CAPABILITY_RATE_LIMIT	 "rate-limit"	     /* caps rules and owners, live */
#define CAPABILITY_SNI		 "sni"		     /* routes by server name */
#define CAPABILITY_STATS_REQUEST "stats-request"     /* answers ServerMessage.stats_request */
#define CAPABILITY_REPLAY_DONE	 "replay-done"	     /* understands ServerMessage.replay_done */
#define CAPABILITY_CREDENTIAL	 "credential-update" /* stores ServerMessage.credential_update */
#define CAPABILITY_KERNEL_RELAY	 "kernel-relay"	     /* rules that say who relays */
#define CAPABILITY_BALANCE	 "balance" /* shares connections among targets, and what goes with it */
#define CAPABILITY_FAILBACK	 "failback"    /* understands ServerMessage.failback */
#define CAPABILITY_VERSION	 "version="    /* followed by the program's real version */
#define CAPABILITY_ACCOUNTING	 "accounting=" /* followed by "bpf" or "user" */

#endif
