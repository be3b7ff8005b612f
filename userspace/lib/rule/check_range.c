// SPDX-License-Identifier: MIT
/* The checks of ranges of ports: both ends of both sides, and where each target's range ends. */
#include "lib/rule/draft.h"

static int refuse_range(const struct rule_draft *d, const char *field, const char *text)
{
	return rule_refuse(d, 400, "range_invalid", -1, field, text);
}

/* How many ports the rule listens on, once rule_check_ranges() has passed. */
static uint64_t length(const struct rule_draft *d)
{
	const struct draft_value *end = &d->key[KEY_LISTEN_PORT_END];

	return end->has ? end->u - d->key[KEY_LISTEN_PORT].u + 1 : 1;
}

bool rule_draft_is_range(const struct rule_draft *d)
{
	return d->key[KEY_LISTEN_PORT_END].has &&
	       d->key[KEY_LISTEN_PORT_END].u != d->key[KEY_LISTEN_PORT].u;
}

int rule_check_ranges(const struct rule_draft *d)
{
	const struct draft_value *listen = &d->key[KEY_LISTEN_PORT];
	const struct draft_value *listen_end = &d->key[KEY_LISTEN_PORT_END];
	const struct draft_value *target_end = &d->key[KEY_TARGET_PORT_END];

	/* Targets of the list say where their ranges begin, which is enough. */
	if (listen_end->has != target_end->has && !(d->has_targets && listen_end->has))
		return refuse_range(d, listen_end->has ? "target_port_end" : "listen_port_end",
				    "listen_port_end and target_port_end go together");
	if (listen->u < 1 || listen->u > UINT16_MAX)
		return refuse_range(d, "listen_port", "must be 1..65535");
	if (listen_end->has && (listen_end->u < listen->u || listen_end->u > UINT16_MAX))
		return refuse_range(d, "listen_port_end", "must be listen_port..65535");
	return 0;
}

int rule_check_target_range(const struct rule_draft *d)
{
	const struct draft_value *port = &d->key[KEY_TARGET_PORT];
	const struct draft_value *end = &d->key[KEY_TARGET_PORT_END];

	if (d->has_targets)
		return 0;
	if (port->u < 1 || port->u > UINT16_MAX)
		return refuse_range(d, "target_port", "must be 1..65535");
	if (end->has && (end->u < port->u || end->u > UINT16_MAX))
		return refuse_range(d, "target_port_end", "must be target_port..65535");
	return 0;
}

int rule_check_target_end(const struct rule_draft *d, size_t row)
{
	const struct draft_value *t = d->target[row];

	if (t[TARGET_SAME_PORT].u && !rule_draft_is_range(d))
		return rule_refuse_target(d, "option_conflict", row, "same_port",
					  "needs a range of ports (listen_port_end)");
	if (!t[TARGET_SAME_PORT].u && t[TARGET_PORT].u + length(d) - 1 > UINT16_MAX)
		return rule_refuse_target(d, "target_invalid_port", row, "port",
					  "the target's range would end above 65535");
	return 0;
}

/* With a list of targets an end says no more than their ports do, and must not say anything else. */
static int check_end_of_targets(const struct rule_draft *d, uint64_t end)
{
	for (size_t i = 0; i < d->n_targets; i++) {
		const struct draft_value *t = d->target[i];

		if (!t[TARGET_SAME_PORT].u && t[TARGET_PORT].u + length(d) - 1 != end)
			return refuse_range(
				d, "target_port_end",
				"is not where the ranges of all targets end; leave it out");
	}
	return 0;
}

int rule_check_lengths(const struct rule_draft *d)
{
	const struct draft_value *end = &d->key[KEY_TARGET_PORT_END];

	if (!end->has)
		return 0;
	if (d->has_targets)
		return check_end_of_targets(d, end->u);
	if (end->u - d->key[KEY_TARGET_PORT].u + 1 != length(d))
		return refuse_range(d, "target_port_end", "both ranges need the same length");
	return 0;
}
