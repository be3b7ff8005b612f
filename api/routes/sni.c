// SPDX-License-Identifier: MIT
/* /v1/clients/{id}/sni-listeners: the ports of an edge that route by server name. */
#include "api/routes/sni.h"

#include <stdlib.h>
#include <string.h>

#include "api/call/call.h"
#include "api/call/json.h"
#include "api/call/scope.h"
#include "server/fleet/model.h"
#include "server/fleet/sni.h"

static int by_port(const void *a, const void *b)
{
	const struct fleet_rule *x = *(const struct fleet_rule *const *)a;
	const struct fleet_rule *y = *(const struct fleet_rule *const *)b;
	const char *p = x->rule->sni_pattern, *q = y->rule->sni_pattern;

	if (x->rule->listen_port != y->rule->listen_port)
		return x->rule->listen_port < y->rule->listen_port ? -1 : 1;
	if (!p != !q)
		return p ? -1 : 1;
	return p && strcmp(p, q) ? strcmp(p, q)
				 : (x->rule->id > y->rule->id) - (x->rule->id < y->rule->id);
}

static void set_figures(json_t *o, const struct sni_figures *f)
{
	static const struct sni_figures none;

	if (!f)
		f = &none;
	json_object_set_new(o, "parse_failures_total", json_integer((json_int_t)f->failed));
	json_object_set_new(o, "route_miss_total", json_integer((json_int_t)f->missed));
	json_object_set_new(o, "peek_rejected_total", json_integer((json_int_t)f->rejected));
}

/* One port's row, of its @n rules that are served and that the caller may see. */
static json_t *encode_port(const struct fleet_client *client, struct fleet_rule *const *rules,
			   size_t n)
{
	uint16_t port = rules[0]->rule->listen_port;
	json_t *o = json_object(), *routes = json_array();

	json_object_set_new(o, "port", json_integer(port));
	json_object_set_new(o, "fallback_rule_id", json_null());
	for (size_t i = 0; i < n; i++) {
		const struct rule *rule = rules[i]->rule;

		if (rule->sni_pattern)
			json_array_append_new(routes,
					      json_pack("{s:s,s:I}", "pattern", rule->sni_pattern,
							"rule_id", (json_int_t)rule->id));
		else
			json_object_set_new(o, "fallback_rule_id",
					    json_integer((json_int_t)rule->id));
	}
	json_object_set_new(o, "routes", routes);
	set_figures(o, sni_figures_of(client, port));
	return o;
}

/* Its rules behind such ports, by port; *n of them. NULL for memory. */
static struct fleet_rule **routed_rules(struct call *c, const struct fleet_client *client,
					size_t *n)
{
	struct fleet_rule *r, **all;
	size_t room = 1;

	TAILQ_FOREACH (r, &client->rules, of_client)
		room++;
	all = calloc(room, sizeof(*all));
	*n = 0;
	TAILQ_FOREACH (r, &client->rules, of_client)
		if (all && r->state == FLEET_ACTIVE && r->rule->protocol == RULE_TCP &&
		    call_may_see(c, r) && sni_is_routed(r))
			all[(*n)++] = r;
	if (all)
		qsort(all, *n, sizeof(*all), by_port);
	return all;
}

void sni_listeners(struct call *c)
{
	struct fleet_client *client = fleet_client_find(c->api->fleet, c->param);
	struct fleet_rule **rules;
	json_t *list = json_array();
	size_t n, end;

	if (!client) {
		json_decref(list);
		call_error(c, 404, "client_not_found", "client_not_found: no client has the id %s",
			   c->param);
		return;
	}
	rules = routed_rules(c, client, &n);
	for (size_t i = 0; rules && i < n; i = end) {
		end = i + 1;
		while (end < n && rules[end]->rule->listen_port == rules[i]->rule->listen_port)
			end++;
		json_array_append_new(list, encode_port(client, rules + i, end - i));
	}
	if (!rules) {
		json_decref(list);
		list = NULL;
	}
	free(rules);
	if (list)
		call_json_tagged(c, list, NULL);
	else
		call_json(c, 500, NULL);
}
