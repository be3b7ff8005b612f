// SPDX-License-Identifier: MIT
/* Which edge is new enough for which rule. */
#include "server/gates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	snprintf(err->client_version, sizeof(err->client_version), "%s",
		 peer->version[0] ? peer->version : "unknown");
	snprintf(err->required, sizeof(err->required), "%s", required);
	return -EPERM;
}

int gate_rule(const struct gate_peer *peer, const struct rule *rule, struct fleet_error *err)
{
	const uint32_t options = RULE_HAS_CONNECT_TIMEOUT | RULE_HAS_HEDGE_DELAY |
				 RULE_HAS_IDLE_TIMEOUT;

	if (rule->protocol == RULE_UDP && !peer->udp)
		return refuse(err, peer, "unsupported_protocol", "udp",
			      "the edge does not forward UDP");
	if (rule->n_targets > 1 && !gate_version_at_least(peer->version, 0, 7))
		return refuse(err, peer, "multi_target_unsupported_by_client", "0.7",
			      "several targets need an edge of version 0.7 or newer");
	/* An older edge would ignore them silently, and listen on every address. */
	if (((rule->fields & options) || rule->listen_address) && !peer->rule_options)
		return refuse(err, peer, "rule_options_unsupported_by_client", "rule-options",
			      "listen_address, connect_timeout_ms, hedge_delay_ms and "
			      "idle_timeout_secs need an edge that announces rule-options");
	return 0;
}
