// SPDX-License-Identifier: MIT
/* The optional numbers of a rule, as data: their keys, where they lie, and what they may be. */
#include "lib/rule/number.h"

const struct rule_number rule_numbers[RULE_NUMBERS] = {
	{"health_check_interval_secs", KEY_PROBE_INTERVAL, RULE_HAS_PROBE_INTERVAL,
	 offsetof(struct rule, probe_interval_secs), 1, RULE_PROBE_INTERVAL_SECS_MAX,
	 "health_check_interval_out_of_range", "must be 1..3600"},
	{"connect_timeout_ms", KEY_CONNECT_TIMEOUT, RULE_HAS_CONNECT_TIMEOUT,
	 offsetof(struct rule, connect_timeout_ms), 1, RULE_CONNECT_TIMEOUT_MS_MAX,
	 "connect_timeout_out_of_range", "must be 1..60000"},
	{"hedge_delay_ms", KEY_HEDGE_DELAY, RULE_HAS_HEDGE_DELAY,
	 offsetof(struct rule, hedge_delay_ms), 0, RULE_HEDGE_DELAY_MS_MAX,
	 "hedge_delay_out_of_range", "must be 0..60000 (0: never before a failure)"},
	{"idle_timeout_secs", KEY_IDLE_TIMEOUT, RULE_HAS_IDLE_TIMEOUT,
	 offsetof(struct rule, idle_timeout_secs), 0, RULE_IDLE_TIMEOUT_SECS_MAX,
	 "idle_timeout_out_of_range", "must be 0..604800 (0: no time-out)"},
	{"half_close_timeout_secs", KEY_HALF_CLOSE, RULE_HAS_HALF_CLOSE,
	 offsetof(struct rule, half_close_timeout_secs), 0, RULE_HALF_CLOSE_SECS_MAX,
	 "option_out_of_range", "must be 0..86400 (0: no time-out)"},
	{"udp_flow_idle_secs", KEY_UDP_IDLE, RULE_HAS_UDP_IDLE,
	 offsetof(struct rule, udp_flow_idle_secs), 1, RULE_UDP_IDLE_SECS_MAX,
	 "option_out_of_range", "must be 1..86400"},
	{"udp_max_flows", KEY_UDP_MAX_FLOWS, RULE_HAS_UDP_MAX_FLOWS,
	 offsetof(struct rule, udp_max_flows), 1, RULE_UDP_FLOWS_MAX, "option_out_of_range",
	 "must be 1..1048576"},
	{"udp_reply_timeout_ms", KEY_UDP_REPLY_TIMEOUT, RULE_HAS_UDP_REPLY_TIMEOUT,
	 offsetof(struct rule, udp_reply_timeout_ms), RULE_UDP_REPLY_MS_MIN, RULE_UDP_REPLY_MS_MAX,
	 "option_out_of_range", "must be 100..60000"},
};
