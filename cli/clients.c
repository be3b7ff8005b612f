// SPDX-License-Identifier: MIT
/* list-clients, enroll-client, revoke, rename-client, rotate-token, rotate-certificate */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/print.h"
#include "cli/request.h"
#include "cli/verbs.h"
#include "lib/base/table.h"

/* "…Z" as "…+00:00", which is how this column always was. */
static void with_offset(const char *text, char *out, size_t size)
{
	size_t n = strlen(text);

	if (n && text[n - 1] == 'Z')
		snprintf(out, size, "%.*s+00:00", (int)n - 1, text);
	else
		snprintf(out, size, "%s", text);
}

static const struct column client_columns[] = {
	{"CLIENT_ID"}, {"NAME", .cut = true}, {"STATE"}, {"REMOTE_ADDR"}, {"CONNECTED_AT"},
};

static void add_client(struct table *t, const json_t *c)
{
	char since[48];

	with_offset(text_of(c, "connected_at", "-"), since, sizeof(since));
	table_cell(t, "%s", text_of(c, "client_id", "-"));
	table_cell(t, "%s", text_of(c, "client_name", "-"));
	table_cell(t, "%s",
		   json_is_true(json_object_get(c, "connected")) ? "connected" : "disconnected");
	table_cell(t, "%s", text_of(c, "remote_addr", text_of(c, "client_address", "-")));
	table_cell(t, "%s", since);
}

/* Two hosts with one bundle take turns; nothing else shows as clearly that one has to be enrolled anew. */
static void warn_of_sharing(const struct cli_args *a, const json_t *c)
{
	if (!json_is_string(json_object_get(c, "shared_credential_at")))
		return;
	cli_note(
		a,
		"two hosts use the credential of %s, the other one at %s, last at %s: enrol one of "
		"them by a name of its own",
		text_of(c, "client_name", "-"), text_of(c, "shared_credential_addr", "-"),
		text_of(c, "shared_credential_at", "-"));
}

int verb_list_clients(struct cli_args *a)
{
	json_t *clients = NULL, *c;
	struct table t = {.columns = client_columns, .n_columns = 5};
	size_t i;
	int rc = api_call(a, "GET", "/v1/clients", NULL, &clients);

	if (rc)
		return rc;
	if (a->json) {
		print_json(clients);
	} else {
		json_array_foreach (clients, i, c)
			add_client(&t, c);
		table_print(&t, stdout);
		json_array_foreach (clients, i, c)
			warn_of_sharing(a, c);
	}
	json_decref(clients);
	return EXIT_OK;
}

/* "2026-05-08T10:52:11.120+00:00" as "2026-05-08 10:52:11.120000000 UTC". */
static void print_expiry(const char *text)
{
	char date[11] = "", clock[9] = "", fraction[10] = "";

	if (sscanf(text, "%10[0-9-]T%8[0-9:].%9[0-9]", date, clock, fraction) < 2) {
		printf("expires_at=%s\n", text);
		return;
	}
	printf("expires_at=%s %s.%s%.*s UTC\n", date, clock, fraction, 9 - (int)strlen(fraction),
	       "000000000");
}

/* A code for an edge that is there: it keeps its id and its rules. */
static int enroll_again(struct cli_args *a, unsigned long long secs, json_t **answer)
{
	char id[CLIENT_ID_SIZE] = "", target[96];
	int rc = client_find(a, a->positional[0], id);

	if (rc)
		return rc;
	snprintf(target, sizeof(target), "/v1/clients/%s/enrollment", id);
	return api_call(a, "POST", target, json_pack("{s:I}", "ttl_secs", (json_int_t)secs),
			answer);
}

static int enroll_new(struct cli_args *a, unsigned long long secs, json_t **answer)
{
	const char *address = args_option(a, "address");
	json_t *body = json_pack("{s:s,s:I}", "name", a->positional[0], "ttl_secs",
				 (json_int_t)secs);

	if (!body)
		return cli_error(a, EXIT_INVALID, "invalid_name", "a name has to be UTF-8");
	if (address)
		json_object_set_new(body, "address", json_string(address));
	return api_call(a, "POST", "/v1/client-enrollments", body, answer);
}

/* What the code is for, and whether anybody elsewhere can use it. */
static void say_where_to(struct cli_args *a, const char *uri)
{
	static const char *const here[] = {"portunus://127.", "portunus://[::1]",
					   "portunus://localhost"};

	cli_note(a, "next: run that on the edge's host, once, and start portunus-client there");
	for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++)
		if (!strncmp(uri, here[i], strlen(here[i])))
			cli_note(a,
				 "only this host reaches the server there; for an edge on another "
				 "one start the server with --advertised-endpoint HOST:PORT and "
				 "make a new code");
}

int verb_enroll_client(struct cli_args *a)
{
	const char *ttl = args_option(a, "ttl-secs");
	bool again = args_flag(a, "again");
	unsigned long long secs = 600;
	json_t *answer = NULL;
	int rc;

	if (ttl && !parse_u64(ttl, 1, 86400, &secs))
		return usage_error(a, "invalid value '%s' for '--ttl-secs': 1 to 86400", ttl);
	if (again && args_flag(a, "address"))
		return usage_error(a, "'--address' cannot be used with '--again'");
	rc = again ? enroll_again(a, secs, &answer) : enroll_new(a, secs, &answer);
	if (rc)
		return rc;
	if (a->json) {
		print_json(answer);
	} else {
		printf("client_name=%s\n", text_of(answer, "client_name", ""));
		print_expiry(text_of(answer, "expires_at", ""));
		puts(text_of(answer, "command", ""));
		fflush(stdout);
		say_where_to(a, text_of(answer, "uri", ""));
	}
	json_decref(answer);
	return EXIT_OK;
}

int client_find(struct cli_args *a, const char *text, char id[CLIENT_ID_SIZE])
{
	json_t *clients = NULL, *c;
	int named = 0, live = 0, rc;
	bool is_id = false;
	size_t i;

	rc = api_call(a, "GET", "/v1/clients", NULL, &clients);
	if (rc)
		return rc;
	json_array_foreach (clients, i, c) {
		bool revoked = !json_is_null(json_object_get(c, "revoked_at"));

		if (!strcmp(text_of(c, "client_id", ""), text)) {
			snprintf(id, CLIENT_ID_SIZE, "%s", text);
			is_id = true;
			break;
		}
		/* A revoked one of the same name is not meant while there is a live one. */
		if (strcmp(text_of(c, "client_name", ""), text) || (live && revoked))
			continue;
		named++;
		live += !revoked;
		snprintf(id, CLIENT_ID_SIZE, "%s", text_of(c, "client_id", ""));
	}
	json_decref(clients);
	if (is_id)
		return EXIT_OK;
	if (!named)
		return cli_error(a, EXIT_NOT_FOUND, "client_not_found",
				 "no client has the name or the id '%s'", text);
	if (live > 1)
		return cli_error(a, EXIT_INVALID, "ambiguous_client_name",
				 "several clients are named '%s'; give the id, as list-clients "
				 "shows it",
				 text);
	return EXIT_OK;
}

int verb_revoke(struct cli_args *a)
{
	char id[CLIENT_ID_SIZE] = "", target[96];
	int rc = client_find(a, a->positional[0], id);

	if (rc)
		return rc;
	snprintf(target, sizeof(target), "/v1/clients/%s/revoke", id);
	rc = api_call(a, "POST", target, NULL, NULL);
	if (!rc && a->json)
		print_done("revoked", json_string(id));
	return rc;
}

int verb_rotate_token(struct cli_args *a)
{
	char id[CLIENT_ID_SIZE] = "", target[96];
	int rc = client_find(a, a->positional[0], id);

	if (rc)
		return rc;
	snprintf(target, sizeof(target), "/v1/clients/%s/token", id);
	rc = api_call(a, "POST", target, NULL, NULL);
	if (!rc && a->json)
		print_done("rotated", json_string(id));
	return rc;
}

int verb_rotate_certificate(struct cli_args *a)
{
	json_t *answer = NULL, *waiting, *name;
	size_t i;
	int rc = api_call(a, "POST", "/v1/certificate", NULL, &answer);

	if (rc)
		return rc;
	waiting = json_object_get(answer, "waiting");
	if (a->json) {
		print_json(answer);
	} else if (!strcmp(text_of(answer, "state", ""), "in_use")) {
		puts("the new certificate is in use");
	} else {
		printf("announced; the old certificate is used until these have the new one, or "
		       "for 30 days:\n");
		json_array_foreach (waiting, i, name)
			printf("%s\n", json_string_value(name));
	}
	json_decref(answer);
	return EXIT_OK;
}

int verb_rename_client(struct cli_args *a)
{
	const char *id = args_option(a, "client-id"), *name = args_option(a, "name");
	json_t *body, *answer = NULL;
	char found[CLIENT_ID_SIZE] = "", path[80];
	int rc;

	if (!name || (!id && !a->n_positional))
		return usage_error(a, "NAME (or '--client-id') and '--name' are required");
	rc = client_find(a, id ? id : a->positional[0], found);
	if (rc)
		return rc;
	body = json_pack("{s:s}", "client_name", name);
	if (!body)
		return cli_error(a, EXIT_INVALID, "invalid_name", "a name has to be UTF-8");
	snprintf(path, sizeof(path), "/v1/clients/%s/name", found);
	rc = api_call(a, "PATCH", path, body, &answer);
	if (rc)
		return rc;
	if (a->json)
		print_json(answer);
	else
		printf("client_id=%s\nclient_name=%s\n", text_of(answer, "client_id", ""),
		       text_of(answer, "client_name", ""));
	json_decref(answer);
	return EXIT_OK;
}
