// SPDX-License-Identifier: MIT
/* Ports of an edge that route by server name: whose rules they are, and what the edge counts of them. */
#include "server/fleet/sni.h"

#include <stdlib.h>
#include <string.h>

#include "lib/rule/listen.h"
#include "lib/rule/sni.h"
#include "server/fleet/model.h"

const double sni_bounds[SNI_BUCKETS] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
					0.05,	0.1,	 0.25,	 0.5,	1,	2,     3};

/* ---- figures ---- */

static struct sni_figures *entry_of(const struct fleet_client *c, uint32_t port)
{
	for (size_t i = 0; i < c->n_sni; i++)
		if (c->sni[i].port == port)
			return &c->sni[i];
	return NULL;
}

/* Ports whose rules have gone make room. */
static void prune(struct fleet_client *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n_sni; i++)
		if (sni_is_port(c, (uint16_t)c->sni[i].port))
			c->sni[kept++] = c->sni[i];
	c->n_sni = kept;
}

void sni_take(struct fleet_client *c, const struct sni_figures *ports, size_t n)
{
	if (!n)
		return;
	prune(c);
	for (size_t i = 0; i < n; i++) {
		struct sni_figures *e = entry_of(c, ports[i].port), *more;

		if (ports[i].port > UINT16_MAX || !sni_is_port(c, (uint16_t)ports[i].port))
			continue;
		if (!e) {
			more = reallocarray(c->sni, c->n_sni + 1, sizeof(*more));
			if (!more)
				return;
			c->sni = more;
			e = &c->sni[c->n_sni++];
		}
		*e = ports[i];
	}
}

const struct sni_figures *sni_figures_of(const struct fleet_client *c, uint16_t port)
{
	return entry_of(c, port);
}

/* ---- rules ---- */

bool sni_is_port(const struct fleet_client *c, uint16_t port)
{
	const struct fleet_rule *r;

	TAILQ_FOREACH (r, &c->rules, of_client)
		if (r->rule->listen_port == port && r->rule->sni_pattern)
			return true;
	return false;
}

bool sni_is_routed(const struct fleet_rule *r)
{
	const struct fleet_rule *other;

	if (r->rule->sni_pattern)
		return true;
	TAILQ_FOREACH (other, &r->client->rules, of_client)
		if (other->rule->sni_pattern && other->rule->listen_port == r->rule->listen_port &&
		    rule_listens_alike(other->rule, r->rule))
			return true;
	return false;
}

void sni_meet(struct sni_neighbours *n, const struct rule *has, const struct rule *rule)
{
	if (has->protocol != rule->protocol || !rule_listens_overlap(has, rule))
		return;
	/* At another, overlapping address names do not help: each has sockets of its own. */
	/* Nor where a balancer's header would come before the name. */
	if (!rule_listens_alike(has, rule) ||
	    (rule_sni_differs(has, rule) && (has->accept_proxy || rule->accept_proxy)))
		n->apart = has;
	else if (!has->sni_pattern)
		n->plain = has;
	else
		n->named = has;
	if (has->sni_pattern && rule->sni_pattern && !rule_sni_differs(has, rule))
		n->same = has;
}

const char *sni_conflict(const struct sni_neighbours *n, const struct rule *rule, bool switches,
			 const struct rule **other)
{
	*other = n->apart ? n->apart : n->same ? n->same : n->plain;
	if (n->apart)
		return "port_in_use";
	if (!rule->sni_pattern)
		return !n->plain  ? NULL
		       : n->named ? "conflict.sni_fallback_duplicate"
				  : "port_in_use";
	if (n->same)
		return "conflict.sni_route_duplicate";
	return n->plain && !n->named && !switches ? "conflict.legacy_to_sni_unsupported" : NULL;
}
