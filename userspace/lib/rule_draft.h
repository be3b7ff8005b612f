/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_LIB_RULE_DRAFT_H
#define PORTUNUS_LIB_RULE_DRAFT_H

#include "lib/rule.h"

/*
 * A rule as it arrived, decoded but not yet checked: what the JSON and the protobuf reader fill in
 * and the one validator turns into a struct rule. Private to lib/rule_*.c. Texts are borrowed.
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
	KEY_LISTEN_ADDRESS,
	KEY_SNI_PATTERN,
	RULE_KEYS
};

enum target_key { TARGET_HOST, TARGET_PORT, TARGET_PRIORITY, TARGET_PROXY, TARGET_KEYS };

enum limit_key {
	LIMIT_IN_BPS,
	LIMIT_OUT_BPS,
	LIMIT_NEW_PER_SEC,
	LIMIT_CONCURRENT,
	LIMIT_IN_BURST,
	LIMIT_OUT_BURST,
	LIMIT_NEW_BURST,
	LIMIT_CONCURRENT_BURST,
	LIMIT_KEYS
};

struct rule_draft {
	const char *prefix; /* of every message: "rules[3]" in a file, else "" */
	struct rule_error *err;
	struct draft_value key[RULE_KEYS];
	bool has_targets;
	size_t n_targets; /* as sent; only the first RULE_TARGETS_MAX are kept below */
	struct draft_value target[RULE_TARGETS_MAX][TARGET_KEYS];
	struct draft_value limit[LIMIT_KEYS];
};

/*
 * Fills in @d->err: "<prefix>.<field>: <text>", either part left out when empty. Returns -EINVAL so
 * that a check can end with it. @row is the target it is about, or -1.
 */
int rule_refuse(const struct rule_draft *d, int status, const char *code, int row,
		const char *field, const char *text);

/*
 * Checks everything in the contract's order and makes the rule, targets in the order they came in.
 * NULL with the draft's error filled in.
 */
struct rule *rule_from_draft(const struct rule_draft *d);

/* rule_parse() with @prefix before every message; @push as rule_parse_push(). */
struct rule *rule_parse_at(const struct json_t *object, bool push, const char *prefix,
			   struct rule_error *err);

#endif
