/* SPDX-License-Identifier: MIT */
/* An envelope of caps, of a rule or of an owner: what may pass in a second, and at once. */
#ifndef PORTUNUS_LIB_RULE_LIMIT_H
#define PORTUNUS_LIB_RULE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum limit_key {
	LIMIT_IN_BPS, /* bytes a second from clients to targets, of all connections together */
	LIMIT_OUT_BPS,
	LIMIT_NEW_PER_SEC, /* connections accepted, flows begun */
	LIMIT_CONCURRENT,  /* open connections and flows */
	LIMIT_IN_BURST,
	LIMIT_OUT_BURST,
	LIMIT_NEW_BURST,
	LIMIT_CONCURRENT_BURST, /* reserved: there is none */
	LIMIT_KEYS
};

/* The names of these keys in JSON. */
extern const char *const limit_key_names[LIMIT_KEYS];

/* All zero: caps nothing. */
struct rate_limit {
	uint64_t value[LIMIT_KEYS];
	uint32_t has; /* a bit for each key */
};

struct json_t;
struct rule_error;

static inline bool rate_limit_has(const struct rate_limit *l, enum limit_key key)
{
	return l->has & (1u << key);
}

/* The cap of that key; 0 where there is none, as no cap may be 0. */
static inline uint64_t rate_limit_value(const struct rate_limit *l, enum limit_key key)
{
	return rate_limit_has(l, key) ? l->value[key] : 0;
}

/* The burst that belongs to a rate: what is said, else what a second brings. */
uint64_t rate_limit_burst(const struct rate_limit *l, enum limit_key rate);

bool rate_limit_equal(const struct rate_limit *a, const struct rate_limit *b);

/* The keys that are set as JSON; a new reference, NULL for memory. */
struct json_t *rate_limit_to_json(const struct rate_limit *l);

/* An envelope that stands alone. 0, or -EINVAL with @err as rule_parse() fills it. */
int rate_limit_parse(const struct json_t *object, struct rate_limit *out, struct rule_error *err);

/* A key that nobody knows, as a path that lives during the call: "hedge_delay", "targets[1].prio". @nearest: the
 * key of the same object that was probably meant ("hedge_delay_ms"), or NULL. */
typedef void rule_unknown_key(void *arg, const char *path, const char *nearest);

/* As rule_unknown_keys(), of an envelope that stands alone. */
void rate_limit_unknown_keys(const struct json_t *object, rule_unknown_key *found, void *arg);

#endif
