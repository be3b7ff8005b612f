// SPDX-License-Identifier: MIT
/* Which edge is new enough for which rule. */
#include "server/fleet/compatibility.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "lib/rule/lists.h"
#include "lib/rule/words.h"
#include "lib/rule/span.h"

/* The number at @s if it reaches up to one of @ends, else 0: "7-rc1" is 7, "7x" is none. */
static unsigned part(const char *s, const char *ends)
{
	char *end;
	unsigned long n;

	if (*s < '0' || *s > '9')
		return 0;
	n = strtoul(s, &end, 10);
	return n <= 1000000 && (!*end || strchr(ends, *end)) ? (unsigned)n : 0;
}

bool gate_version_at_least(const char *version, unsigned major, unsigned minor)
{
	size_t cut = strcspn(version, "-+");
	unsigned have_major, have_minor;
	const char *dot;
	char text[32];

	snprintf(text, sizeof(text), "%.*s", (int)(cut < 31 ? cut : 31), version);
	dot = strchr(text, '.');
	have_major = part(text, ".");
	have_minor = dot ? part(dot + 1, ".") : 0;
	return have_major != major ? have_major > major : have_minor >= minor;
}

static int refuse(struct fleet_error *err, const struct gate_peer *peer, const char *code,
		  const char *required, const char *text)
{
	memset(err, 0, sizeof(*err));
	err->e.status = 422;
	snprintf(err->e.code, sizeof(err->e.code), "%s", code);
	snprintf(err->e.message, sizeof(err->e.message), "%s", text);
	utf8_format(err->client_version, sizeof(err->client_version), "%s",
		    peer->version[0] ? peer->version : "unknown");
	snprintf(err->required, sizeof(err->required), "%s", required);
	return -EPERM;
}

static bool has_proxy(const struct rule *rule)
{
	for (unsigned i = 0; i < rule->n_targets; i++)
		if (rule->targets[i].proxy)
			return true;
	return false;
}

static bool has_check_port(const struct rule *rule)
{
	for (unsigned i = 0; i < rule->n_targets; i++)
		if (rule->targets[i].check_port)
			return true;
	return false;
}

/* The first key of the rule that only an edge with CAPABILITY_SOURCE knows; NULL: none. */
static const char *source_option(const struct rule *rule)
{
	if (rule->health_check_proxy)
		return "health_check_proxy";
	for (unsigned i = 0; i < rule->n_targets; i++)
		if (rule->targets[i].tlvs)
			return "proxy_protocol_tlvs";
	for (size_t i = 0; i < RULE_WORDS; i++)
		if (rule_word_value(rule, &rule_words[i]))
			return rule_words[i].name;
	for (size_t i = 0; i < RULE_LISTS; i++)
		if (rule_list_value(rule, &rule_lists[i]))
			return rule_lists[i].name;
	return NULL;
}

/* An edge that does not know them would let everybody in. */
static int gate_sources(const struct gate_peer *peer, const struct rule *rule,
			struct fleet_error *err)
{
	const char *key = peer->source_options ? NULL : source_option(rule);
	char text[120];

	if (!key)
		return 0;
	snprintf(text, sizeof(text), "%s needs an edge that announces source-options", key);
	return refuse(err, peer, "rule_options_unsupported_by_client", "source-options", text);
}

/* The first key of the rule that came with "balance"; NULL: it has none. */
static const char *balance_key(const struct rule *rule)
{
	if (rule->balance != RULE_BALANCE_ORDER)
		return "balance";
	for (unsigned i = 0; rule->n_targets > 1 && i < rule->n_targets; i++)
		if (rule_weight(&rule->targets[i]) != 1)
			return "weight";
	return rule->eject.resets		     ? "eject"
	       : rule_talks(rule) || rule->talk.port ? "health_check"
	       : rule->end_sessions		     ? "on_failure"
	       : rule->manual_failback		     ? "failback"
						     : NULL;
}

static int gate_balance(const struct gate_peer *peer, const struct rule *rule,
			struct fleet_error *err)
{
	const char *key = peer->balance ? NULL : balance_key(rule);
	char text[80];

	if (!key)
		return 0;
	snprintf(text, sizeof(text), "%s needs an edge that announces balance", key);
	return refuse(err, peer, "rule_options_unsupported_by_client", "balance", text);
}

int gate_caps(const struct gate_peer *peer, struct fleet_error *err)
{
	if (peer->rate_limit || gate_version_at_least(peer->version, 0, 11))
		return 0;
	return refuse(err, peer, "rate_limit_unsupported_by_client", "0.11",
		      "rate limits need an edge of version 0.11 or newer");
}

/* What makes of a range more than existing edges know: these would map all ports to one, or probe none. */
static bool is_more_than_a_range(const struct rule *rule)
{
	bool same = false;

	for (unsigned i = 0; i < rule->n_targets; i++)
		same |= rule->targets[i].same_port;
	return rule_is_range(rule) && (rule->n_targets > 1 || has_proxy(rule) || same ||
				       rule->limit.has || (rule->fields & RULE_HAS_PROBE_INTERVAL));
}

int gate_rule(const struct gate_peer *peer, const struct rule *rule, struct fleet_error *err)
{
	const uint32_t options = RULE_HAS_CONNECT_TIMEOUT | RULE_HAS_HEDGE_DELAY |
				 RULE_HAS_IDLE_TIMEOUT | RULE_HAS_HALF_CLOSE | RULE_HAS_UDP_IDLE |
				 RULE_HAS_UDP_MAX_FLOWS | RULE_HAS_UDP_REPLY_TIMEOUT;

	if (rule->protocol == RULE_UDP && !peer->udp)
		return refuse(err, peer, "unsupported_protocol", "udp",
			      "the edge does not forward UDP");
	if (rule->n_targets > 1 && !gate_version_at_least(peer->version, 0, 7))
		return refuse(err, peer, "multi_target_unsupported_by_client", "0.7",
			      "several targets need an edge of version 0.7 or newer");
	if (rule->sni_pattern && !peer->sni && !gate_version_at_least(peer->version, 0, 9))
		return refuse(err, peer, "sni_unsupported_by_client", "0.9",
			      "routing by server name needs an edge of version 0.9 or newer");
	if (rule->fallback_non_tls && !peer->sni)
		return refuse(err, peer, "rule_options_unsupported_by_client", "sni",
			      "fallback_non_tls needs an edge that announces sni");
	if (has_proxy(rule) && !peer->proxy && !gate_version_at_least(peer->version, 0, 10))
		return refuse(err, peer, "proxy_protocol_unsupported_by_client", "0.10",
			      "the PROXY protocol needs an edge of version 0.10 or newer");
	if (rule->limit.has && gate_caps(peer, err))
		return -EPERM;
	if (is_more_than_a_range(rule) && !peer->range_targets)
		return refuse(err, peer, "range_targets_unsupported_by_client", "range-targets",
			      "a range with several targets, same_port, the PROXY protocol, "
			      "caps or probes needs an edge that announces range-targets");
	if (rule->relay && !peer->kernel_relay)
		return refuse(err, peer, "kernel_relay_unsupported_by_client", "kernel-relay",
			      "relay needs an edge that announces kernel-relay");
	/* An older edge would ignore them silently, and listen on every address. */
	if (((rule->fields & options) || rule->listen_address || has_check_port(rule)) &&
	    !peer->rule_options)
		return refuse(
			err, peer, "rule_options_unsupported_by_client", "rule-options",
			"listen_address, time-outs, hedge_delay_ms, health_check_port and limits of "
			"UDP need an edge that announces rule-options");
	return gate_sources(peer, rule, err) ? -EPERM : gate_balance(peer, rule, err);
}
