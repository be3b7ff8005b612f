// SPDX-License-Identifier: MIT
/* owner-cap list, get, set, delete: what all rules of an owner may do together on an edge. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cap_options.h"
#include "cli/http.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/verbs.h"

/* The path of an owner's envelope; the caller's to free. */
static char *caps_path(const char *id, const char *owner)
{
	char before[80];

	snprintf(before, sizeof(before), "/v1/clients/%s/owners/", id);
	return url_with(before, owner, "/rate-limit");
}

static int call_caps(struct cli_args *a, const char *method, const char *id, json_t *body,
		     json_t **answer)
{
	char *path = caps_path(id, a->positional[2]);
	int rc;

	if (!path) {
		json_decref(body);
		return cli_failure(a, EXIT_OTHER, "memory", "out of memory");
	}
	rc = api_call(a, method, path, body, answer);
	free(path);
	return rc;
}

static int list(struct cli_args *a, const char *id)
{
	json_t *owners = NULL, *wrapped, *o;
	char target[96];
	size_t i;
	int rc;

	snprintf(target, sizeof(target), "/v1/clients/%s/owners", id);
	rc = api_call(a, "GET", target, NULL, &owners);
	if (rc)
		return rc;
	if (a->json) {
		wrapped = json_pack("{s:O}", "owners", owners);
		print_json(wrapped);
		json_decref(wrapped);
	} else {
		printf("%-24s %-8s %-10s\n", "OWNER", "RULES", "CAP STATUS");
		json_array_foreach (owners, i, o)
			printf("%-24s %-8lld %-10s\n", text_of(o, "owner_id", "-"),
			       number_of(o, "rule_count"),
			       json_is_true(json_object_get(o, "has_rate_limit")) ? "capped"
										  : "uncapped");
	}
	json_decref(owners);
	return EXIT_OK;
}

static void print_view(const json_t *view)
{
	static const struct {
		const char *label, *key;
	} caps[] = {
		{"ingress_bps", "bandwidth_in_bps"},
		{"egress_bps", "bandwidth_out_bps"},
		{"new_conn_per_sec", "new_connections_per_sec"},
		{"concurrent_max", "concurrent_connections"},
		{"ingress_burst", "bandwidth_in_burst"},
		{"egress_burst", "bandwidth_out_burst"},
		{"new_conn_burst", "new_connections_burst"},
	};
	const json_t *limit = json_object_get(view, "rate_limit");

	printf("%-18s%s\n", "client", text_of(view, "client_name", "-"));
	printf("%-18s%s\n", "owner", text_of(view, "owner_id", "-"));
	printf("%-18s%lld\n", "updated_ms", number_of(view, "updated_at_unix_ms"));
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		if (json_object_get(limit, caps[i].key))
			printf("%-18s%lld\n", caps[i].label, number_of(limit, caps[i].key));
		else
			printf("%-18s-\n", caps[i].label);
	}
}

static int get(struct cli_args *a, const char *id)
{
	json_t *view = NULL;
	int rc = call_caps(a, "GET", id, NULL, &view);

	if (rc)
		return rc;
	if (a->json)
		print_json(view);
	else
		print_view(view);
	json_decref(view);
	return EXIT_OK;
}

static int set(struct cli_args *a, const char *id)
{
	json_t *limit = json_object(), *view = NULL;
	unsigned n = 0;
	int rc = cap_options(a, limit, &n);

	if (!rc && !n)
		rc = cli_error(a, EXIT_INVALID, "validation.rate_limit_no_caps_provided",
			       "give at least one cap; 'owner-cap delete' takes them away");
	if (rc) {
		json_decref(limit);
		return rc;
	}
	rc = call_caps(a, "PUT", id, limit, &view);
	if (rc)
		return rc;
	if (a->json)
		print_json(view);
	else
		printf("owner-cap set client=%s owner=%s updated_at_unix_ms=%lld\n",
		       text_of(view, "client_name", "-"), text_of(view, "owner_id", "-"),
		       number_of(view, "updated_at_unix_ms"));
	json_decref(view);
	return EXIT_OK;
}

static int drop(struct cli_args *a, const char *id)
{
	int rc = call_caps(a, "DELETE", id, NULL, NULL);

	if (rc)
		return rc;
	if (a->json)
		print_done("deleted", json_string(a->positional[2]));
	else
		printf("owner-cap deleted client=%s owner=%s\n", a->positional[1],
		       a->positional[2]);
	return EXIT_OK;
}

static const struct {
	const char *name;
	int positional;
	bool caps; /* takes them as options */
	int (*run)(struct cli_args *a, const char *id);
} actions[] = {
	{"list", 2, false, list},
	{"get", 3, false, get},
	{"set", 3, true, set},
	{"delete", 3, false, drop},
};

int verb_owner_cap(struct cli_args *a)
{
	char id[CLIENT_ID_SIZE] = "";
	int rc;

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, a->positional[0]))
			continue;
		if (a->n_positional != actions[i].positional)
			return usage_error(a, "'owner-cap %s' takes CLIENT%s", actions[i].name,
					   actions[i].positional == 3 ? " and OWNER" : "");
		if (cap_options_given(a) && !actions[i].caps)
			return usage_error(a, "'owner-cap %s' takes no caps", actions[i].name);
		rc = client_find(a, a->positional[1], id);
		return rc ? rc : actions[i].run(a, id);
	}
	return usage_error(a, "'%s' is none of list, get, set, delete", a->positional[0]);
}
