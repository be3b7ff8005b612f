// SPDX-License-Identifier: MIT
/* The one validator: every rule, from wherever it comes, passes these checks in this order. */
#include "lib/base/addr.h"
#include "lib/rule/balance.h"
#include "lib/rule/check_limit.h"
#include "lib/rule/draft.h"
#include "lib/rule/lists_draft.h"
#include "lib/rule/number.h"
#include "lib/rule/self.h"
#include "lib/rule/sni.h"
#include "lib/rule/usable.h"
#include "lib/rule/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse(const struct rule_draft *d, const char *code, const char *field, const char *text)
{
	return rule_refuse(d, 400, code, -1, field, text);
}

static bool is_blank(const char *s)
{
	return s[strspn(s, " \t\r\n")] == '\0';
}

static bool is_legacy(const struct rule_draft *d)
{
	return !d->has_targets;
}

static int check_shape(const struct rule_draft *d)
{
	bool host = d->key[KEY_TARGET_HOST].has, port = d->key[KEY_TARGET_PORT].has;

	if (d->has_targets && d->key[KEY_PROXY].has)
		return refuse(d, "rule_shape_conflict", "proxy_protocol",
			      "is a key of each target");
	if (d->has_targets && (host || port))
		return refuse(d, "rule_shape_conflict", "",
			      "give either target_host and target_port, or targets");
	if (!d->has_targets && !host && !port)
		return refuse(d, "rule_shape_missing", "",
			      "give target_host and target_port, or targets");
	if (host != port)
		return refuse(d, "rule_shape_missing", host ? "target_port" : "target_host",
			      "target_host and target_port go together");
	return 0;
}

static int check_id(const struct rule_draft *d)
{
	const struct draft_value *id = &d->key[KEY_ID];

	if (id->has && id->u > RULE_ID_MAX)
		return refuse(d, "invalid_id", "id", "must be 1..9007199254740992");
	return 0;
}

static bool has_sni(const struct rule_draft *d)
{
	return d->key[KEY_SNI_PATTERN].has && !is_blank(d->key[KEY_SNI_PATTERN].s);
}

static int check_sni(const struct rule_draft *d)
{
	char pattern[SNI_PATTERN_MAX + 1];
	const char *wrong;

	if (!has_sni(d))
		return 0;
	if (rule_draft_is_udp(d) || rule_draft_is_range(d))
		return refuse(d, "validation.sni_on_unsupported_rule", "sni_pattern",
			      "needs a TCP rule on one port");
	wrong = rule_check_sni(d->key[KEY_SNI_PATTERN].s, pattern);
	return wrong ? refuse(d, "validation.sni_pattern_malformed", "sni_pattern", wrong) : 0;
}

static int check_numbers(const struct rule_draft *d)
{
	for (size_t i = 0; i < RULE_NUMBERS; i++) {
		const struct rule_number *n = &rule_numbers[i];
		const struct draft_value *v = &d->key[n->key];

		if (v->has && (v->u < n->min || v->u > n->max))
			return refuse(d, n->code, n->name, n->text);
	}
	return 0;
}

static int check_listen_address(const struct rule_draft *d)
{
	const struct draft_value *v = &d->key[KEY_LISTEN_ADDRESS];
	union addr a;

	if (v->has && addr_parse_literal(v->s, 0, &a))
		return refuse(d, "invalid_listen_address", "listen_address",
			      "must be an IPv4 or IPv6 address");
	return 0;
}

static uint8_t relay_of(const struct draft_value *v)
{
	uint8_t relay;

	for (relay = RULE_RELAY_AUTO; v->has && relay <= RULE_RELAY_KERNEL; relay++)
		if (!strcmp(v->s, rule_relay_text(relay)))
			return relay;
	return RULE_RELAY_NONE;
}

/* What means nothing for the rule's protocol: said, not ignored. */
static int check_protocol_options(const struct rule_draft *d)
{
	static const enum rule_key udp_only[] = {KEY_UDP_IDLE, KEY_UDP_MAX_FLOWS,
						 KEY_UDP_REPLY_TIMEOUT};
	static const enum rule_key tcp_only[] = {KEY_HEDGE_DELAY, KEY_IDLE_TIMEOUT, KEY_HALF_CLOSE};
	const enum rule_key *keys = rule_draft_is_udp(d) ? tcp_only : udp_only;
	size_t n = rule_draft_is_udp(d) ? sizeof(tcp_only) / sizeof(tcp_only[0])
					: sizeof(udp_only) / sizeof(udp_only[0]);

	for (size_t i = 0; i < RULE_NUMBERS; i++)
		for (size_t k = 0; k < n; k++)
			if (rule_numbers[i].key == keys[k] && d->key[keys[k]].has)
				return refuse(d, "option_conflict", rule_numbers[i].name,
					      rule_draft_is_udp(d)
						      ? "means nothing with protocol \"udp\""
						      : "needs protocol \"udp\"");
	if (d->key[KEY_FALLBACK_NON_TLS].u && (rule_draft_is_udp(d) || rule_draft_is_range(d)))
		return refuse(d, "option_conflict", "fallback_non_tls",
			      "needs a TCP rule on one port");
	if (d->key[KEY_FALLBACK_NON_TLS].u && has_sni(d))
		return refuse(d, "option_conflict", "fallback_non_tls",
			      "is for the fallback, which has no sni_pattern");
	return 0;
}

static int check_words(const struct rule_draft *d)
{
	for (size_t i = 0; i < RULE_WORDS; i++) {
		const struct rule_word *w = &rule_words[i];
		const struct draft_value *v = &d->key[w->key];

		if (v->has && !w->valid(v->s))
			return refuse(d, "option_out_of_range", w->name, w->text);
		if (v->has && w->tcp_only && rule_draft_is_udp(d))
			return refuse(d, "option_conflict", w->name,
				      "means nothing with protocol \"udp\"");
	}
	return 0;
}

static bool has_proxy(const struct draft_value target[TARGET_KEYS])
{
	return target[TARGET_PROXY].has && !is_blank(target[TARGET_PROXY].s);
}

static int check_same_target(const struct rule_draft *d, size_t row)
{
	const struct draft_value *t = d->target[row];
	char text[48];

	for (size_t i = 0; i < row; i++) {
		const struct draft_value *other = d->target[i];

		if (other[TARGET_PORT].u != t[TARGET_PORT].u ||
		    !rule_host_equal(other[TARGET_HOST].s, t[TARGET_HOST].s))
			continue;
		snprintf(text, sizeof(text), "is the same as targets[%zu]", i);
		return rule_refuse_target(d, "targets_duplicate", row, "", text);
	}
	return 0;
}

/* A target's, or that of the older shape; @row -1. */
static int check_proxy(const struct rule_draft *d, const char *word, int row)
{
	const char *text = "must be \"v1\" or \"v2\"";

	if (is_blank(word) || rule_is_word(word, "v1") || rule_is_word(word, "v2"))
		return 0;
	if (row < 0)
		return refuse(d, "validation.proxy_protocol_invalid", "proxy_protocol", text);
	return rule_refuse_target(d, "validation.proxy_protocol_invalid", (size_t)row,
				  "proxy_protocol", text);
}

static int check_tlvs(const struct rule_draft *d, size_t row)
{
	const struct draft_value *t = d->target[row];

	if (t[TARGET_TLVS].u & TLV_UNKNOWN)
		return rule_refuse_target(d, "option_out_of_range", row, "proxy_protocol_tlvs",
					  "may have \"unique_id\" and \"authority\"");
	if (t[TARGET_TLVS].u && !(has_proxy(t) && rule_is_word(t[TARGET_PROXY].s, "v2")))
		return rule_refuse_target(d, "option_conflict", row, "proxy_protocol_tlvs",
					  "needs proxy_protocol \"v2\"");
	return 0;
}

static int check_targets(const struct rule_draft *d)
{
	size_t n = d->n_targets < RULE_TARGETS_MAX ? d->n_targets : RULE_TARGETS_MAX;

	if (is_legacy(d))
		return d->key[KEY_PROXY].has ? check_proxy(d, d->key[KEY_PROXY].s, -1) : 0;
	if (n == 0)
		return refuse(d, "targets_empty", "targets", "needs at least one target");
	for (size_t i = 0; i < n; i++)
		if (has_proxy(d->target[i]) && check_proxy(d, d->target[i][TARGET_PROXY].s, (int)i))
			return -EINVAL;
	if (d->n_targets > RULE_TARGETS_MAX)
		return refuse(d, "targets_too_many", "targets", "has more than 8 targets");
	for (size_t i = 0; i < n; i++) {
		const struct draft_value *t = d->target[i];
		const char *wrong = rule_check_target_host(t[TARGET_HOST].s, NULL);

		if (wrong)
			return rule_refuse_target(d, "target_invalid_host", i, "host", wrong);
		if (t[TARGET_PORT].u < 1 || t[TARGET_PORT].u > UINT16_MAX)
			return rule_refuse_target(d, "target_invalid_port", i, "port",
						  "must be 1..65535");
		if (t[TARGET_CHECK_PORT].has && t[TARGET_CHECK_PORT].u < 1)
			return rule_refuse_target(d, "target_invalid_port", i, "health_check_port",
						  "must be 1..65535");
		if (rule_check_target_end(d, i) || check_same_target(d, i) || check_tlvs(d, i))
			return -EINVAL;
	}
	return 0;
}

static int check_client(const struct rule_draft *d)
{
	const char *wrong = NULL;

	if (d->key[KEY_CLIENT].has)
		wrong = rule_check_client(d->key[KEY_CLIENT].s);
	return wrong ? refuse(d, "invalid_name", "client", wrong) : 0;
}

static int check_relay(const struct rule_draft *d)
{
	const struct draft_value *v = &d->key[KEY_RELAY];

	if (!v->has)
		return 0;
	if (!relay_of(v))
		return refuse(d, "option_out_of_range", "relay",
			      "must be \"auto\", \"user\" or \"kernel\"");
	if (rule_draft_is_udp(d))
		return refuse(d, "option_conflict", "relay", "means nothing with protocol \"udp\"");
	return 0;
}

static int check_protocol(const struct rule_draft *d)
{
	const struct draft_value *v = &d->key[KEY_PROTOCOL];

	if (v->has && !rule_is_word(v->s, "tcp") && !rule_is_word(v->s, "udp"))
		return refuse(d, "invalid_protocol", "protocol", "must be \"tcp\" or \"udp\"");
	return 0;
}

static int check_legacy_host(const struct rule_draft *d)
{
	const char *suffix, *wrong;
	char code[48];

	if (!is_legacy(d))
		return 0;
	wrong = rule_check_target_host(d->key[KEY_TARGET_HOST].s, &suffix);
	if (!wrong)
		return 0;
	snprintf(code, sizeof(code), "invalid_target_host%s", suffix);
	return refuse(d, code, "target_host", wrong);
}

static bool accepts_proxy(const struct rule_draft *d)
{
	const struct draft_value *v = &d->key[KEY_ACCEPT_PROXY];

	return v->has && strcmp(v->s, "off") != 0;
}

/* Whose headers are believed has to be said: anybody could send one. */
static int check_accept_proxy(const struct rule_draft *d)
{
	const struct draft_value *v = &d->key[KEY_ACCEPT_PROXY];

	if (accepts_proxy(d) && strcmp(v->s, "optional") && strcmp(v->s, "required"))
		return refuse(d, "option_out_of_range", "accept_proxy",
			      "must be \"off\", \"optional\" or \"required\"");
	if (accepts_proxy(d) && !d->list[LIST_ACCEPT_FROM].has)
		return refuse(d, "option_conflict", "accept_proxy", "needs accept_proxy_from");
	if (!accepts_proxy(d) && d->list[LIST_ACCEPT_FROM].has)
		return refuse(d, "option_conflict", "accept_proxy_from",
			      "needs accept_proxy \"optional\" or \"required\"");
	if (accepts_proxy(d) && rule_draft_is_udp(d))
		return refuse(d, "option_conflict", "accept_proxy",
			      "means nothing with protocol \"udp\"");
	if (accepts_proxy(d) && has_sni(d))
		return refuse(d, "option_conflict", "accept_proxy",
			      "is not supported together with sni_pattern");
	return 0;
}

static int check_proxy_on_udp(const struct rule_draft *d)
{
	const char *text = "needs a TCP rule";

	if (rule_draft_is_udp(d) && d->key[KEY_PROXY].has && !is_blank(d->key[KEY_PROXY].s))
		return refuse(d, "validation.proxy_protocol_on_unsupported_rule", "proxy_protocol",
			      text);
	for (size_t i = 0; rule_draft_is_udp(d) && i < d->n_targets; i++)
		if (has_proxy(d->target[i]))
			return rule_refuse_target(d,
						  "validation.proxy_protocol_on_unsupported_rule",
						  i, "proxy_protocol", text);
	if (rule_draft_is_udp(d) && d->key[KEY_HEALTH_CHECK_PROXY].u)
		return refuse(d, "option_conflict", "health_check_proxy",
			      "means nothing with protocol \"udp\"");
	return 0;
}

/* Whether a target whose ports begin at @port meets the rule's own ports. */
static bool meets_own_ports(const struct rule_draft *d, uint64_t port, bool one)
{
	uint64_t first = d->key[KEY_LISTEN_PORT].u;
	uint64_t last = d->key[KEY_LISTEN_PORT_END].has ? d->key[KEY_LISTEN_PORT_END].u : first;
	uint64_t end = one ? port : port + (last - first);

	return port <= last && first <= end;
}

/* Its clients' bytes would run in a circle. */
static int check_self(const struct rule_draft *d)
{
	const struct draft_value *listen = &d->key[KEY_LISTEN_ADDRESS], *key = d->key;
	const char *at = listen->has ? listen->s : NULL;
	const char *text = "leads back to the rule's own port";
	size_t n = d->n_targets;

	if (is_legacy(d)) {
		if (meets_own_ports(d, key[KEY_TARGET_PORT].u, false) &&
		    rule_leads_to_itself(at, key[KEY_TARGET_HOST].s))
			return refuse(d, "target_is_listener", "target_host", text);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		if (meets_own_ports(d, d->target[i][TARGET_PORT].u,
				    d->target[i][TARGET_SAME_PORT].u) &&
		    rule_leads_to_itself(at, d->target[i][TARGET_HOST].s))
			return rule_refuse_target(d, "target_is_listener", i, "host", text);
	return 0;
}

/* What could never serve a client, whatever the host. */
static int check_usable(const struct rule_draft *d)
{
	const struct draft_value *listen = &d->key[KEY_LISTEN_ADDRESS];
	size_t n = d->n_targets;
	const char *wrong = listen->has ? rule_check_listener(listen->s,
							      d->key[KEY_LISTEN_INTERFACE].has)
					: NULL;

	if (wrong)
		return refuse(d, "invalid_listen_address", "listen_address", wrong);
	if (is_legacy(d)) {
		wrong = rule_check_target(d->key[KEY_TARGET_HOST].s);
		return wrong ? refuse(d, "target_unusable", "target_host", wrong) : 0;
	}
	for (size_t i = 0; i < n; i++) {
		wrong = rule_check_target(d->target[i][TARGET_HOST].s);
		if (wrong)
			return rule_refuse_target(d, "target_unusable", i, "host", wrong);
	}
	return 0;
}

/* What the contract knows and this program does not do: refused, never dropped silently. */
static int check_not_yet(const struct rule_draft *d)
{
	for (size_t i = 0; i < d->n_targets; i++)
		if (d->target[i][TARGET_TLVS].u & RULE_TLV_AUTHORITY)
			return rule_refuse(d, 422, "sni_unsupported_by_client", (int)i,
					   "proxy_protocol_tlvs",
					   "\"authority\" is not supported yet");
	return 0;
}

/* In the order of the contract: the first error found is the one that is told. */
static int (*const checks[])(const struct rule_draft *d) = {
	check_shape,
	check_id,
	rule_check_ranges,
	check_sni,
	check_rate_limit,
	check_numbers,
	check_listen_address,
	check_targets,
	rule_check_target_range,
	check_client,
	check_protocol,
	check_legacy_host,
	check_proxy_on_udp,
	check_protocol_options,
	check_accept_proxy,
	check_words,
	rule_check_lists,
	rule_check_balance,
	check_relay,
	check_not_yet,
	rule_check_lengths,
	check_self,
	check_usable,
};

static bool set_text(char **to, const struct draft_value *from)
{
	if (from->has)
		*to = strdup(from->s);
	return !from->has || *to;
}

/* An address is kept in the one spelling that everybody compares and shows. */
static bool set_listen_address(struct rule *r, const struct rule_draft *d)
{
	const struct draft_value *v = &d->key[KEY_LISTEN_ADDRESS];
	char text[ADDR_TEXT_MAX];
	union addr a;

	if (!v->has)
		return true;
	if (addr_parse_literal(v->s, 0, &a))
		return false;
	r->listen_address = strdup(addr_text_host(&a, text, sizeof(text)));
	return r->listen_address;
}

/* The pattern in lower case, without blanks around it. */
static bool set_sni(struct rule *r, const struct rule_draft *d)
{
	char pattern[SNI_PATTERN_MAX + 1];

	if (!has_sni(d))
		return true;
	rule_check_sni(d->key[KEY_SNI_PATTERN].s, pattern);
	r->sni_pattern = strdup(pattern);
	return r->sni_pattern;
}

/* The host as it is stored: a final dot stays, it makes the name absolute. */
static bool set_target(struct rule_target *t, const char *host, uint64_t port, uint64_t priority)
{
	t->host = strdup(host);
	t->port = (uint16_t)port;
	t->priority = (uint32_t)priority;
	return t->host != NULL;
}

static void set_numbers(struct rule *r, const struct rule_draft *d)
{
	for (size_t i = 0; i < RULE_NUMBERS; i++) {
		const struct draft_value *v = &d->key[rule_numbers[i].key];

		if (!v->has)
			continue;
		r->fields |= rule_numbers[i].field;
		*rule_number(r, &rule_numbers[i]) = (uint32_t)v->u;
	}
}

static bool set_words(struct rule *r, const struct rule_draft *d)
{
	for (size_t i = 0; i < RULE_WORDS; i++)
		if (!set_text(rule_word(r, &rule_words[i]), &d->key[rule_words[i].key]))
			return false;
	return true;
}

static uint8_t proxy_version(const struct draft_value *v)
{
	if (!v->has || is_blank(v->s))
		return RULE_PROXY_NONE;
	return rule_is_word(v->s, "v1") ? RULE_PROXY_V1 : RULE_PROXY_V2;
}

struct rule *rule_from_draft(const struct rule_draft *d)
{
	const struct draft_value *key = d->key;
	struct rule *r;
	bool ok;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (checks[i](d))
			return NULL;

	r = rule_new(is_legacy(d) ? 1 : d->n_targets);
	if (!r)
		goto no_memory;
	r->legacy = is_legacy(d);
	r->listen_port = (uint16_t)key[KEY_LISTEN_PORT].u;
	r->listen_port_end = rule_draft_is_range(d) ? (uint16_t)key[KEY_LISTEN_PORT_END].u : 0;
	r->protocol = rule_draft_is_udp(d) ? RULE_UDP : RULE_TCP;
	r->id = key[KEY_ID].u;
	r->relay = relay_of(&key[KEY_RELAY]);
	r->prefer_ipv6 = key[KEY_PREFER_IPV6].u != 0;
	if (accepts_proxy(d))
		r->accept_proxy = strcmp(key[KEY_ACCEPT_PROXY].s, "required")
					  ? RULE_ACCEPT_OPTIONAL
					  : RULE_ACCEPT_REQUIRED;
	r->health_check_proxy = key[KEY_HEALTH_CHECK_PROXY].u != 0;
	r->fallback_non_tls = key[KEY_FALLBACK_NON_TLS].u != 0;
	r->ack_timeout_secs = key[KEY_ACK_TIMEOUT].u;
	r->fields = (key[KEY_ID].has ? RULE_HAS_ID : 0u) |
		    (key[KEY_PREFER_IPV6].has ? RULE_HAS_PREFER_IPV6 : 0u) |
		    (key[KEY_ACK_TIMEOUT].has ? RULE_HAS_ACK_TIMEOUT : 0u) |
		    (d->has_limit ? RULE_HAS_RATE_LIMIT : 0u);
	set_numbers(r, d);
	ok = set_words(r, d) && set_text(&r->client, &key[KEY_CLIENT]) &&
	     set_listen_address(r, d) && set_sni(r, d) && rule_set_lists(r, d) &&
	     rule_set_balance(r, d);
	draft_rate_limit(d, &r->limit);
	if (r->legacy)
		ok = ok &&
		     set_target(&r->targets[0], key[KEY_TARGET_HOST].s, key[KEY_TARGET_PORT].u, 0);
	/* A target with a header is one of a list, everywhere behind this. */
	if (r->legacy)
		r->targets[0].proxy = proxy_version(&key[KEY_PROXY]);
	r->legacy = r->legacy && !r->targets[0].proxy;
	for (size_t i = 0; i < d->n_targets; i++) {
		const struct draft_value *t = d->target[i];
		uint64_t priority = t[TARGET_PRIORITY].has ? t[TARGET_PRIORITY].u : i;

		ok = ok && set_target(&r->targets[i], t[TARGET_HOST].s, t[TARGET_PORT].u, priority);
		r->targets[i].check_port = (uint16_t)t[TARGET_CHECK_PORT].u;
		r->targets[i].same_port = t[TARGET_SAME_PORT].u;
		r->targets[i].proxy = proxy_version(&t[TARGET_PROXY]);
		r->targets[i].weight = (uint16_t)t[TARGET_WEIGHT].u;
		r->targets[i].tlvs = (uint8_t)t[TARGET_TLVS].u;
	}
	if (ok)
		return r;
	rule_free(r);
no_memory:
	rule_refuse(d, 500, "internal_error", -1, "", "out of memory");
	return NULL;
}
