// SPDX-License-Identifier: MIT
/* The one validator: every rule, from wherever it comes, passes these checks in this order. */
#include "lib/addr.h"
#include "lib/rule_draft.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int rule_refuse(const struct rule_draft *d, int status, const char *code, int row,
		const char *field, const char *text)
{
	struct rule_error *err = d->err;
	const char *prefix = d->prefix ? d->prefix : "";

	memset(err, 0, sizeof(*err));
	err->status = status;
	err->row = row;
	snprintf(err->code, sizeof(err->code), "%s", code);
	snprintf(err->message, sizeof(err->message), "%s%s%s%s%s", prefix,
		 *prefix && *field ? "." : "", field, *prefix || *field ? ": " : "", text);
	return -EINVAL;
}

static int refuse(const struct rule_draft *d, const char *code, const char *field, const char *text)
{
	return rule_refuse(d, 400, code, -1, field, text);
}

static int refuse_target(const struct rule_draft *d, const char *code, size_t row,
			 const char *member, const char *text)
{
	char field[64];

	snprintf(field, sizeof(field), "targets[%zu]%s%s", row, *member ? "." : "", member);
	return rule_refuse(d, 400, code, (int)row, field, text);
}

static bool is_blank(const char *s)
{
	return s[strspn(s, " \t\r\n")] == '\0';
}

/* Compares without case and without the spaces around @s. */
static bool is_word(const char *s, const char *word)
{
	size_t len;

	s += strspn(s, " \t\r\n");
	len = strlen(word);
	return !strncasecmp(s, word, len) && is_blank(s + len);
}

static bool is_legacy(const struct rule_draft *d)
{
	return !d->has_targets;
}

static int check_shape(const struct rule_draft *d)
{
	bool host = d->key[KEY_TARGET_HOST].has, port = d->key[KEY_TARGET_PORT].has;

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

static int check_ranges(const struct rule_draft *d)
{
	const struct draft_value *listen = &d->key[KEY_LISTEN_PORT];
	const struct draft_value *listen_end = &d->key[KEY_LISTEN_PORT_END];
	const struct draft_value *target_end = &d->key[KEY_TARGET_PORT_END];

	if (listen_end->has != target_end->has)
		return refuse(d, "range_invalid",
			      listen_end->has ? "target_port_end" : "listen_port_end",
			      "listen_port_end and target_port_end go together");
	if (listen->u < 1 || listen->u > UINT16_MAX)
		return refuse(d, "range_invalid", "listen_port", "must be 1..65535");
	if (listen_end->has && (listen_end->u < listen->u || listen_end->u > UINT16_MAX))
		return refuse(d, "range_invalid", "listen_port_end", "must be listen_port..65535");
	return 0;
}

static bool has_sni(const struct rule_draft *d)
{
	return d->key[KEY_SNI_PATTERN].has && !is_blank(d->key[KEY_SNI_PATTERN].s);
}

static bool is_udp(const struct rule_draft *d)
{
	return d->key[KEY_PROTOCOL].has && is_word(d->key[KEY_PROTOCOL].s, "udp");
}

static bool is_range(const struct rule_draft *d)
{
	return d->key[KEY_LISTEN_PORT_END].has &&
	       d->key[KEY_LISTEN_PORT_END].u != d->key[KEY_LISTEN_PORT].u;
}

static int check_sni(const struct rule_draft *d)
{
	const char *pattern;
	union addr a;

	if (!has_sni(d))
		return 0;
	if (is_udp(d) || is_range(d))
		return refuse(d, "validation.sni_on_unsupported_rule", "sni_pattern",
			      "needs a TCP rule on one port");
	pattern = d->key[KEY_SNI_PATTERN].s;
	if (!strncmp(pattern, "*.", 2))
		pattern += 2;
	if (addr_parse_literal(pattern, 0, &a) == 0 || rule_check_host(pattern, NULL))
		return refuse(d, "validation.sni_pattern_malformed", "sni_pattern",
			      "must be a name, or \"*.\" and a name");
	return 0;
}

/* Which cap each burst belongs to; the rest have none. */
static const struct {
	enum limit_key rate, burst;
	const char *name;
} bursts[] = {
	{LIMIT_IN_BPS, LIMIT_IN_BURST, "rate_limit.bandwidth_in_burst"},
	{LIMIT_OUT_BPS, LIMIT_OUT_BURST, "rate_limit.bandwidth_out_burst"},
	{LIMIT_NEW_PER_SEC, LIMIT_NEW_BURST, "rate_limit.new_connections_burst"},
};

static bool has_rate_limit(const struct rule_draft *d)
{
	for (size_t i = 0; i < LIMIT_KEYS; i++)
		if (d->limit[i].has)
			return true;
	return false;
}

static int check_rate_limit(const struct rule_draft *d)
{
	static const char *const rates[] = {
		[LIMIT_IN_BPS] = "rate_limit.bandwidth_in_bps",
		[LIMIT_OUT_BPS] = "rate_limit.bandwidth_out_bps",
		[LIMIT_NEW_PER_SEC] = "rate_limit.new_connections_per_sec",
		[LIMIT_CONCURRENT] = "rate_limit.concurrent_connections",
	};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		if (d->limit[i].has && d->limit[i].u == 0)
			return refuse(d, "validation.rate_limit_cap_zero", rates[i],
				      "must be at least 1");
	if (d->limit[LIMIT_CONCURRENT_BURST].has)
		return refuse(d, "validation.rate_limit_burst_unsupported",
			      "rate_limit.concurrent_connections_burst",
			      "concurrent connections have no burst");
	for (size_t i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++) {
		uint64_t rate = d->limit[bursts[i].rate].u;
		const struct draft_value *burst = &d->limit[bursts[i].burst];
		uint64_t most = rate > UINT64_MAX / 60 ? UINT64_MAX : rate * 60;

		if (!burst->has)
			continue;
		if (!d->limit[bursts[i].rate].has)
			return refuse(d, "validation.rate_limit_burst_without_rate", bursts[i].name,
				      "needs its rate beside it");
		if (burst->u < 1 || burst->u < rate / 100 || burst->u > most)
			return refuse(d, "validation.rate_limit_burst_range", bursts[i].name,
				      "must be between a hundredth of its rate and 60 times it");
	}
	if (is_legacy(d) && has_rate_limit(d))
		return refuse(d, "validation.rate_limit_on_legacy_shape", "rate_limit",
			      "needs the targets list");
	return 0;
}

static int check_times(const struct rule_draft *d)
{
	static const struct {
		enum rule_key key;
		uint64_t min, max;
		const char *field, *code, *text;
	} times[] = {
		{KEY_PROBE_INTERVAL, 1, RULE_PROBE_INTERVAL_SECS_MAX, "health_check_interval_secs",
		 "health_check_interval_out_of_range", "must be 1..3600"},
		{KEY_CONNECT_TIMEOUT, 1, RULE_CONNECT_TIMEOUT_MS_MAX, "connect_timeout_ms",
		 "connect_timeout_out_of_range", "must be 1..60000"},
		{KEY_HEDGE_DELAY, 0, RULE_HEDGE_DELAY_MS_MAX, "hedge_delay_ms",
		 "hedge_delay_out_of_range", "must be 0..60000 (0: never before a failure)"},
		{KEY_IDLE_TIMEOUT, 0, RULE_IDLE_TIMEOUT_SECS_MAX, "idle_timeout_secs",
		 "idle_timeout_out_of_range", "must be 0..604800 (0: no time-out)"},
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		const struct draft_value *v = &d->key[times[i].key];

		if (v->has && (v->u < times[i].min || v->u > times[i].max))
			return refuse(d, times[i].code, times[i].field, times[i].text);
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
		return refuse_target(d, "targets_duplicate", row, "", text);
	}
	return 0;
}

static int check_targets(const struct rule_draft *d)
{
	size_t n = d->n_targets < RULE_TARGETS_MAX ? d->n_targets : RULE_TARGETS_MAX;

	if (is_legacy(d))
		return 0;
	if (n == 0)
		return refuse(d, "targets_empty", "targets", "needs at least one target");
	for (size_t i = 0; i < n; i++) {
		const char *proxy = d->target[i][TARGET_PROXY].s;

		if (has_proxy(d->target[i]) && !is_word(proxy, "v1") && !is_word(proxy, "v2"))
			return refuse_target(d, "validation.proxy_protocol_invalid", i,
					     "proxy_protocol", "must be \"v1\" or \"v2\"");
	}
	if (d->n_targets > RULE_TARGETS_MAX)
		return refuse(d, "targets_too_many", "targets", "has more than 8 targets");
	for (size_t i = 0; i < n; i++) {
		const struct draft_value *t = d->target[i];
		const char *wrong = rule_check_host(t[TARGET_HOST].s, NULL);

		if (wrong)
			return refuse_target(d, "target_invalid_host", i, "host", wrong);
		if (t[TARGET_PORT].u < 1 || t[TARGET_PORT].u > UINT16_MAX)
			return refuse_target(d, "target_invalid_port", i, "port",
					     "must be 1..65535");
		if (check_same_target(d, i))
			return -EINVAL;
	}
	return 0;
}

static int check_target_range(const struct rule_draft *d)
{
	const struct draft_value *port = &d->key[KEY_TARGET_PORT];
	const struct draft_value *end = &d->key[KEY_TARGET_PORT_END];

	if (!is_legacy(d))
		return 0;
	if (port->u < 1 || port->u > UINT16_MAX)
		return refuse(d, "range_invalid", "target_port", "must be 1..65535");
	if (end->has && (end->u < port->u || end->u > UINT16_MAX))
		return refuse(d, "range_invalid", "target_port_end", "must be target_port..65535");
	return 0;
}

static int check_client(const struct rule_draft *d)
{
	const char *wrong = NULL;

	if (d->key[KEY_CLIENT].has)
		wrong = rule_check_client(d->key[KEY_CLIENT].s);
	return wrong ? refuse(d, "invalid_name", "client", wrong) : 0;
}

static int check_protocol(const struct rule_draft *d)
{
	const struct draft_value *v = &d->key[KEY_PROTOCOL];

	if (v->has && !is_word(v->s, "tcp") && !is_word(v->s, "udp"))
		return refuse(d, "invalid_protocol", "protocol", "must be \"tcp\"");
	return 0;
}

static int check_legacy_host(const struct rule_draft *d)
{
	const char *suffix, *wrong;
	char code[48];

	if (!is_legacy(d))
		return 0;
	wrong = rule_check_host(d->key[KEY_TARGET_HOST].s, &suffix);
	if (!wrong)
		return 0;
	snprintf(code, sizeof(code), "invalid_target_host%s", suffix);
	return refuse(d, code, "target_host", wrong);
}

static int check_proxy_on_udp(const struct rule_draft *d)
{
	for (size_t i = 0; is_udp(d) && i < d->n_targets; i++)
		if (has_proxy(d->target[i]))
			return refuse_target(d, "validation.proxy_protocol_on_unsupported_rule", i,
					     "proxy_protocol", "needs a TCP rule");
	return 0;
}

/* What the contract knows and this program does not do: refused, never dropped silently. */
static int check_not_yet(const struct rule_draft *d)
{
	const struct draft_value *listen_end = &d->key[KEY_LISTEN_PORT_END];
	const struct draft_value *target_end = &d->key[KEY_TARGET_PORT_END];

	if (has_sni(d))
		return rule_refuse(d, 422, "sni_unsupported_by_client", -1, "sni_pattern",
				   "routing by server name is not supported yet");
	for (size_t i = 0; i < d->n_targets; i++)
		if (has_proxy(d->target[i]))
			return rule_refuse(d, 422, "proxy_protocol_unsupported_by_client", (int)i,
					   "proxy_protocol",
					   "the PROXY protocol is not supported yet");
	if (has_rate_limit(d))
		return rule_refuse(d, 422, "rate_limit_unsupported_by_client", -1, "rate_limit",
				   "rate limits are not supported yet");
	if (is_udp(d))
		return rule_refuse(d, 422, "unsupported_protocol", -1, "protocol",
				   "UDP is not supported yet");
	if (is_legacy(d) && target_end->has &&
	    target_end->u - d->key[KEY_TARGET_PORT].u != listen_end->u - d->key[KEY_LISTEN_PORT].u)
		return refuse(d, "range_invalid", "target_port_end",
			      "both ranges need the same length");
	if (is_range(d))
		return refuse(d, "range_invalid", "listen_port_end",
			      "ranges of ports are not supported yet");
	if (!is_legacy(d) && target_end->has)
		return refuse(d, "range_invalid", "target_port_end",
			      "the targets list has a port for each target");
	return 0;
}

/* In the order of the contract: the first error found is the one that is told. */
static int (*const checks[])(const struct rule_draft *d) = {
	check_shape,	    check_id,	   check_ranges,	 check_sni,
	check_rate_limit,   check_times,   check_listen_address, check_targets,
	check_target_range, check_client,  check_protocol,	 check_legacy_host,
	check_proxy_on_udp, check_not_yet,
};

static bool set_text(char **to, const struct draft_value *from)
{
	if (from->has)
		*to = strdup(from->s);
	return !from->has || *to;
}

/* The host as it is stored: a name loses its trailing dot. */
static bool set_target(struct rule_target *t, const char *host, uint64_t port, uint64_t priority)
{
	size_t len = strlen(host);

	t->host = strndup(host, len > 0 && host[len - 1] == '.' ? len - 1 : len);
	t->port = (uint16_t)port;
	t->priority = (uint32_t)priority;
	return t->host != NULL;
}

static void set_number(struct rule *r, const struct draft_value *v, enum rule_field field,
		       uint32_t *to)
{
	if (!v->has)
		return;
	r->fields |= field;
	*to = (uint32_t)v->u;
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
	r->id = key[KEY_ID].u;
	r->prefer_ipv6 = key[KEY_PREFER_IPV6].u != 0;
	r->ack_timeout_secs = key[KEY_ACK_TIMEOUT].u;
	r->fields = (key[KEY_ID].has ? RULE_HAS_ID : 0u) |
		    (key[KEY_PREFER_IPV6].has ? RULE_HAS_PREFER_IPV6 : 0u) |
		    (key[KEY_ACK_TIMEOUT].has ? RULE_HAS_ACK_TIMEOUT : 0u);
	set_number(r, &key[KEY_PROBE_INTERVAL], RULE_HAS_PROBE_INTERVAL, &r->probe_interval_secs);
	set_number(r, &key[KEY_CONNECT_TIMEOUT], RULE_HAS_CONNECT_TIMEOUT, &r->connect_timeout_ms);
	set_number(r, &key[KEY_HEDGE_DELAY], RULE_HAS_HEDGE_DELAY, &r->hedge_delay_ms);
	set_number(r, &key[KEY_IDLE_TIMEOUT], RULE_HAS_IDLE_TIMEOUT, &r->idle_timeout_secs);
	ok = set_text(&r->client, &key[KEY_CLIENT]) &&
	     set_text(&r->listen_address, &key[KEY_LISTEN_ADDRESS]);
	if (r->legacy)
		ok = ok &&
		     set_target(&r->targets[0], key[KEY_TARGET_HOST].s, key[KEY_TARGET_PORT].u, 0);
	for (size_t i = 0; !r->legacy && i < d->n_targets; i++) {
		const struct draft_value *t = d->target[i];
		uint64_t priority = t[TARGET_PRIORITY].has ? t[TARGET_PRIORITY].u : i;

		ok = ok && set_target(&r->targets[i], t[TARGET_HOST].s, t[TARGET_PORT].u, priority);
	}
	if (ok)
		return r;
	rule_free(r);
no_memory:
	rule_refuse(d, 500, "internal_error", -1, "", "out of memory");
	return NULL;
}
