// SPDX-License-Identifier: MIT
/* The keys of a rule's JSON, with their types, as data. */
#include "lib/rule/keys.h"

#include <stddef.h>

const struct key rule_keys[RULE_KEYS] = {
	[KEY_ID] = {"id", TYPE_U64},
	[KEY_CLIENT] = {"client", TYPE_STRING},
	[KEY_LISTEN_PORT] = {"listen_port", TYPE_U16, true},
	[KEY_LISTEN_PORT_END] = {"listen_port_end", TYPE_U16},
	[KEY_TARGET_HOST] = {"target_host", TYPE_STRING},
	[KEY_TARGET_PORT] = {"target_port", TYPE_U16},
	[KEY_TARGET_PORT_END] = {"target_port_end", TYPE_U16},
	[KEY_PROTOCOL] = {"protocol", TYPE_STRING},
	[KEY_PREFER_IPV6] = {"prefer_ipv6", TYPE_BOOL},
	[KEY_ACK_TIMEOUT] = {"ack_timeout_secs", TYPE_U64},
	[KEY_PROBE_INTERVAL] = {"health_check_interval_secs", TYPE_U32},
	[KEY_CONNECT_TIMEOUT] = {"connect_timeout_ms", TYPE_U32},
	[KEY_HEDGE_DELAY] = {"hedge_delay_ms", TYPE_U32},
	[KEY_IDLE_TIMEOUT] = {"idle_timeout_secs", TYPE_U32},
	[KEY_HALF_CLOSE] = {"half_close_timeout_secs", TYPE_U32},
	[KEY_LISTEN_ADDRESS] = {"listen_address", TYPE_STRING},
	[KEY_SNI_PATTERN] = {"sni_pattern", TYPE_STRING},
	[KEY_FALLBACK_NON_TLS] = {"fallback_non_tls", TYPE_BOOL},
	[KEY_RELAY] = {"relay", TYPE_STRING},
	[KEY_UDP_IDLE] = {"udp_flow_idle_secs", TYPE_U32},
	[KEY_UDP_MAX_FLOWS] = {"udp_max_flows", TYPE_U32},
	[KEY_UDP_REPLY_TIMEOUT] = {"udp_reply_timeout_ms", TYPE_U32},
	[KEY_PROXY] = {"proxy_protocol", TYPE_STRING},
	[KEY_HEALTH_CHECK_PROXY] = {"health_check_proxy", TYPE_BOOL},
	[KEY_ACCEPT_PROXY] = {"accept_proxy", TYPE_STRING},
	[KEY_SOURCE_INTERFACE] = {"source_interface", TYPE_STRING},
	[KEY_LISTEN_INTERFACE] = {"listen_interface", TYPE_STRING},
	[KEY_CONGESTION] = {"congestion_control", TYPE_STRING},
	[KEY_BALANCE] = {"balance", TYPE_STRING},
	[KEY_ON_FAILURE] = {"on_failure", TYPE_STRING},
	[KEY_FAILBACK] = {"failback", TYPE_STRING},
};

const struct key rule_target_keys[TARGET_KEYS] = {
	[TARGET_HOST] = {"host", TYPE_STRING, true},
	[TARGET_PORT] = {"port", TYPE_U16, true},
	[TARGET_PRIORITY] = {"priority", TYPE_U32},
	[TARGET_PROXY] = {"proxy_protocol", TYPE_STRING},
	[TARGET_CHECK_PORT] = {"health_check_port", TYPE_U16},
	[TARGET_WEIGHT] = {"weight", TYPE_U32},
	[TARGET_TLVS] = {"proxy_protocol_tlvs", TYPE_TLVS},
	[TARGET_SAME_PORT] = {"same_port", TYPE_BOOL},
};

static const struct key eject_keys[EJECT_KEYS] = {
	[EJECT_RESETS] = {"resets", TYPE_U32, true},
	[EJECT_WINDOW] = {"window_secs", TYPE_U32, true},
	[EJECT_FOR] = {"for_secs", TYPE_U32, true},
};

static const struct key talk_keys[TALK_KEYS] = {
	[TALK_SEND] = {"send", TYPE_STRING},
	[TALK_EXPECT] = {"expect", TYPE_STRING},
	[TALK_TLS] = {"tls", TYPE_BOOL},
	[TALK_PORT] = {"port", TYPE_U16},
};

const struct nested_keys rule_nested[RULE_NESTED] = {
	{"eject", eject_keys, EJECT_KEYS, offsetof(struct rule_draft, eject)},
	{"health_check", talk_keys, TALK_KEYS, offsetof(struct rule_draft, talk)},
};

static const enum value_type limit_types[LIMIT_KEYS] = {
	[LIMIT_IN_BPS] = TYPE_U64,	[LIMIT_OUT_BPS] = TYPE_U64,
	[LIMIT_NEW_PER_SEC] = TYPE_U32, [LIMIT_CONCURRENT] = TYPE_U32,
	[LIMIT_IN_BURST] = TYPE_U64,	[LIMIT_OUT_BURST] = TYPE_U64,
	[LIMIT_NEW_BURST] = TYPE_U32,	[LIMIT_CONCURRENT_BURST] = TYPE_U32,
};

void rule_limit_keys(struct key out[LIMIT_KEYS])
{
	for (enum limit_key i = 0; i < LIMIT_KEYS; i++)
		out[i] = (struct key){limit_key_names[i], limit_types[i], false};
}
