/* SPDX-License-Identifier: MIT */
/* A rule as it arrived, decoded and not yet checked. */
#ifndef PORTUNUS_LIB_RULE_DRAFT_H
#define PORTUNUS_LIB_RULE_DRAFT_H

#include "lib/rule/lists.h"
#include "lib/rule/rule.h"

/*
 * A rule as it arrived, decoded but not yet checked: what the JSON and the protobuf reader fill in
 * and the one validator turns into a struct rule. Private to lib/rule/. Texts are borrowed.
 */
struct draft_value {
	bool has;
	uint64_t u; /* numbers and bools */
	const char *s;
};

enum rule_key {
	KEY_ID, /* first, so that a push can leave it out */
	KEY_CLIENT,
	KEY_LISTEN_PORT,
	KEY_LISTEN_PORT_END,
	KEY_TARGET_HOST,
	KEY_TARGET_PORT,
	KEY_TARGET_PORT_END,
	KEY_PROTOCOL,
	KEY_PREFER_IPV6,
	KEY_ACK_TIMEOUT,
	KEY_PROBE_INTERVAL,
	KEY_CONNECT_TIMEOUT,
	KEY_HEDGE_DELAY,
	KEY_IDLE_TIMEOUT,
	KEY_HALF_CLOSE,
	KEY_LISTEN_ADDRESS,
	KEY_SNI_PATTERN,
	KEY_FALLBACK_NON_TLS,
	KEY_RELAY,
	KEY_UDP_IDLE,
	KEY_UDP_MAX_FLOWS,
	KEY_UDP_REPLY_TIMEOUT,
	KEY_PROXY,
	KEY_HEALTH_CHECK_PROXY,
	KEY_ACCEPT_PROXY,
	KEY_SOURCE_INTERFACE,
	KEY_LISTEN_INTERFACE,
	KEY_CONGESTION,
	KEY_BALANCE,
	KEY_ON_FAILURE,
	KEY_FAILBACK,
	RULE_KEYS
};

struct draft_list {
	bool has;
	size_t n;
	const char *const *text; /* borrowed */
	const char **owned; /* the array, where it was made for the draft; see rule_drop_lists() */
};

/* Among a target's TLVs one that nobody knows. */
#define TLV_UNKNOWN (1u << 31)

enum target_key {
	TARGET_HOST,
	TARGET_PORT,
	TARGET_PRIORITY,
	TARGET_PROXY,
	TARGET_CHECK_PORT,
	TARGET_WEIGHT,
	TARGET_TLVS, /* bits of enum rule_tlv, and TLV_UNKNOWN */
	TARGET_SAME_PORT,
	TARGET_KEYS
};

enum eject_key { EJECT_RESETS, EJECT_WINDOW, EJECT_FOR, EJECT_KEYS };

enum talk_key { TALK_SEND, TALK_EXPECT, TALK_TLS, TALK_PORT, TALK_KEYS };

struct rule_draft {
	const char *prefix; /* of every message: "rules[3]" in a file, else "" */
	struct rule_error *err;
	struct draft_value key[RULE_KEYS];
	bool has_targets;
	size_t n_targets; /* as sent; only the first RULE_TARGETS_MAX are kept below */
	struct draft_value target[RULE_TARGETS_MAX][TARGET_KEYS];
	bool has_limit;	  /* an envelope of caps, if only an empty one */
	bool limit_alone; /* which is all there is: not part of a rule */
	struct draft_value limit[LIMIT_KEYS];
	struct draft_list list[RULE_LISTS];
	struct draft_value eject[EJECT_KEYS];
	struct draft_value talk[TALK_KEYS];
};

/*
 * Fills in @d->err: "<prefix>.<field>: <text>", either part left out when empty. Returns -EINVAL so
 * that a check can end with it. @row is the target it is about, or -1.
 */
int rule_refuse(const struct rule_draft *d, int status, const char *code, int row,
		const char *field, const char *text);

/* The same with status 400, of @member ("": the whole) of the target in @row. */
int rule_refuse_target(const struct rule_draft *d, const char *code, size_t row, const char *member,
		       const char *text);

/* Whether @s, without the spaces around it and without case, is @word. */
bool rule_is_word(const char *s, const char *word);
bool rule_draft_is_udp(const struct rule_draft *d);

/* The envelope of caps as a value. */
void draft_rate_limit(const struct rule_draft *d, struct rate_limit *out);

/* ---- of ranges (check_range.c): 0, or -EINVAL with the draft's error filled in ---- */

/* The ends of the listening side, and that those of both sides are there. */
int rule_check_ranges(const struct rule_draft *d);
/* The ends of a single target's side. */
int rule_check_target_range(const struct rule_draft *d);
/* Where the range of a target in the list ends. */
int rule_check_target_end(const struct rule_draft *d, size_t row);
/* That both sides are equally long. */
int rule_check_lengths(const struct rule_draft *d);
/* More than one port, once rule_check_ranges() has passed. */
bool rule_draft_is_range(const struct rule_draft *d);

/*
 * Checks everything in the contract's order and makes the rule, targets in the order they came in.
 * NULL with the draft's error filled in.
 */
struct rule *rule_from_draft(const struct rule_draft *d);

#endif
