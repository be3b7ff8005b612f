// SPDX-License-Identifier: MIT
/* list-clients, enroll-client, revoke, rename-client */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verb.h"

/* "…Z" as "…+00:00", which is how this column always was. */
static void with_offset(const char *text, char *out, size_t size)
{
	size_t n = strlen(text);

	if (n && text[n - 1] == 'Z')
		snprintf(out, size, "%.*s+00:00", (int)n - 1, text);
	else
		snprintf(out, size, "%s", text);
}

static void print_client(const int *widths, const json_t *c)
{
	bool connected = json_is_true(json_object_get(c, "connected"));
	const char *address = text_of(c, "remote_addr", text_of(c, "client_address", "-"));
	char since[48];

	with_offset(text_of(c, "connected_at", "-"), since, sizeof(since));
	table_line(widths,
		   (const char *const[]){text_of(c, "client_id", "-"),
					 text_of(c, "client_name", "-"),
					 connected ? "connected" : "disconnected", address, since},
		   5);
}

int verb_list_clients(struct cli_args *a)
{
	static const int widths[] = {26, 20, 12, 24, 20};
	static const char *const header[] = {"CLIENT_ID", "NAME", "STATE", "REMOTE_ADDR",
					     "CONNECTED_AT"};
	json_t *clients = NULL, *c;
	size_t i;
	int rc = api_call(a, VIA_API, "GET", "/v1/clients", NULL, &clients);

	if (rc)
		return rc;
	if (args_json(a)) {
		print_json(clients);
	} else {
		table_line(widths, header, 5);
		json_array_foreach (clients, i, c)
			print_client(widths, c);
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

int verb_enroll_client(struct cli_args *a)
{
	const char *address = args_option(a, "address"), *ttl = args_option(a, "ttl-secs");
	unsigned long long secs = 600;
	json_t *body, *answer = NULL;
	int rc;

	if (ttl && !parse_u64(ttl, 1, 86400, &secs))
		return usage_error(a, "invalid value '%s' for '--ttl-secs': 1 to 86400", ttl);
	body = json_pack("{s:s,s:I}", "name", a->positional[0], "ttl_secs", (json_int_t)secs);
	if (!body)
		return cli_error(EXIT_INVALID, "invalid_name", "a name has to be UTF-8");
	if (address)
		json_object_set_new(body, "address", json_string(address));
	rc = api_call(a, VIA_STORE_FIRST, "POST", "/v1/client-enrollments", body, &answer);
	if (rc)
		return rc;
	if (args_json(a)) {
		print_json(answer);
	} else {
		printf("client_name=%s\n", text_of(answer, "client_name", ""));
		print_expiry(text_of(answer, "expires_at", ""));
		puts(text_of(answer, "command", ""));
	}
	json_decref(answer);
	return EXIT_OK;
}

/* The id of the only live client of a name. 0, or an exit code. */
static int client_id_of(struct cli_args *a, const char *name, char id[32])
{
	json_t *clients = NULL, *c;
	int found = 0, rc;
	size_t i;

	rc = api_call(a, VIA_STORE_FIRST, "GET", "/v1/clients", NULL, &clients);
	if (rc)
		return rc;
	json_array_foreach (clients, i, c) {
		if (strcmp(text_of(c, "client_name", ""), name))
			continue;
		/* A revoked one of the same name is not meant while there is a live one. */
		if (found && !json_is_null(json_object_get(c, "revoked_at")))
			continue;
		found += json_is_null(json_object_get(c, "revoked_at")) ? 2 : 1;
		snprintf(id, 32, "%s", text_of(c, "client_id", ""));
	}
	json_decref(clients);
	if (!found)
		return cli_error(EXIT_NOT_FOUND, "client_not_found", "no client is named '%s'",
				 name);
	if (found > 3)
		return cli_error(EXIT_INVALID, "ambiguous_name",
				 "several clients are named '%s'; rename one first", name);
	return EXIT_OK;
}

int verb_revoke(struct cli_args *a)
{
	char id[32] = "", target[96];
	int rc = client_id_of(a, a->positional[0], id);

	if (rc)
		return rc;
	snprintf(target, sizeof(target), "/v1/clients/%s/revoke", id);
	return api_call(a, VIA_STORE_FIRST, "POST", target, NULL, NULL);
}

int verb_rename_client(struct cli_args *a)
{
	const char *id = args_option(a, "client-id"), *name = args_option(a, "name");
	char *encoded, target[200];
	json_t *answer = NULL;
	int rc;

	if (!id || !name)
		return usage_error(a, "'--client-id' and '--name' are required");
	encoded = url_encode(id);
	snprintf(target, sizeof(target), "/v1/clients/%s/name", encoded ? encoded : "");
	free(encoded);
	rc = api_call(a, VIA_STORE_FIRST, "PATCH", target, json_pack("{s:s}", "client_name", name),
		      &answer);
	if (rc)
		return rc;
	if (args_json(a))
		print_json(answer);
	else
		printf("client_id=%s\nclient_name=%s\n", text_of(answer, "client_id", ""),
		       text_of(answer, "client_name", ""));
	json_decref(answer);
	return EXIT_OK;
}
