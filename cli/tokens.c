// SPDX-License-Identifier: MIT
/* serve, and the verbs about operators' tokens */
#include <stdio.h>
#include <stdlib.h>

#include "cli/verb.h"
#include "lib/instance.h"
#include "lib/rule.h"
#include "lib/secret.h"

/* Where root's home can be reached by root only, and the server half is not root's. */
#define EDGE_DATA_DIR "/var/lib/portunus-server"

/* What goes with --edge. Returns -1 or an exit code. */
static int edge_options(struct cli_args *a, struct cli_serve *out)
{
	static const char *const more[] = {"edge-program", "edge-instance", "user", "edge-stop"};
	const char *wrong;

	out->edge = args_option(a, "edge");
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		if (!out->edge && args_flag(a, more[i]))
			return usage_error(a, "'--%s' goes with --edge", more[i]);
	if (!out->edge)
		return -1;
	wrong = rule_check_client(out->edge);
	if (wrong)
		return usage_error(a, "invalid value '%s' for '--edge': %s", out->edge, wrong);
	out->edge_program = args_option(a, "edge-program");
	out->edge_instance = args_option(a, "edge-instance");
	if (out->edge_instance && !instance_name_ok(out->edge_instance))
		return usage_error(a, "'--edge-instance' takes up to 32 letters, digits, '-', '_'");
	out->user = args_option(a, "user");
	out->edge_stop = args_flag(a, "edge-stop");
	if (a->data_dir == a->data_dir_buf)
		out->data_dir = EDGE_DATA_DIR;
	return -1;
}

int verb_serve(struct cli_args *a)
{
	struct cli_serve what = {.data_dir = a->data_dir, .advertised = a->advertised};
	int rc = edge_options(a, &what);

	what.operator_http_listen = args_option(a, "operator-http-listen");
	if (!what.operator_http_listen) {
		what.operator_http_listen = getenv("PORTUNUS_OPERATOR_HTTP_LISTEN");
		if (what.operator_http_listen && !*what.operator_http_listen)
			what.operator_http_listen = NULL;
	}
	return rc < 0 ? a->host->serve(&what) : rc;
}

int verb_gen_token(struct cli_args *a)
{
	char secret[SECRET_TEXT_SIZE];

	if (secret_new(secret)) {
		fputs("error: no randomness\n", stderr);
		return EXIT_OTHER;
	}
	printf(args_json(a) ? "{\"token\":\"%s\"}\n" : "%s\n", secret);
	return EXIT_OK;
}

static int make_token(struct cli_args *a, const char *name, const char *role, json_t **answer)
{
	return api_call(a, VIA_STORE_FIRST, "POST", "/v1/tokens",
			json_pack("{s:s,s:s}", "name", name, "role", role), answer);
}

int verb_bootstrap(struct cli_args *a)
{
	json_t *answer = NULL;
	int rc = make_token(a, "_superadmin", "admin", &answer);

	if (rc)
		return rc;
	if (args_json(a))
		print_json(answer);
	else
		printf("superadmin user_id=_superadmin token=%s\n", text_of(answer, "token", ""));
	json_decref(answer);
	return EXIT_OK;
}

int verb_token_add(struct cli_args *a)
{
	const char *role = args_option(a, "role");
	json_t *answer = NULL;
	int rc = make_token(a, a->positional[0], role ? role : "operator", &answer);

	if (rc)
		return rc;
	if (args_json(a))
		print_json(answer);
	else
		printf("name=%s role=%s token=%s\n", text_of(answer, "name", ""),
		       text_of(answer, "role", ""), text_of(answer, "token", ""));
	json_decref(answer);
	return EXIT_OK;
}

int verb_token_list(struct cli_args *a)
{
	static const int widths[] = {24, 10, 26, 26};
	static const char *const header[] = {"NAME", "ROLE", "CREATED_AT", "REVOKED_AT"};
	json_t *tokens = NULL, *t;
	size_t i;
	int rc = api_call(a, VIA_STORE_FIRST, "GET", "/v1/tokens", NULL, &tokens);

	if (rc)
		return rc;
	if (args_json(a)) {
		print_json(tokens);
	} else {
		table_line(widths, header, 4);
		json_array_foreach (tokens, i, t)
			table_line(widths,
				   (const char *const[]){text_of(t, "name", "-"),
							 text_of(t, "role", "-"),
							 text_of(t, "created_at", "-"),
							 text_of(t, "revoked_at", "-")},
				   4);
	}
	json_decref(tokens);
	return EXIT_OK;
}

int verb_token_revoke(struct cli_args *a)
{
	char *encoded = url_encode(a->positional[0]), target[300];

	snprintf(target, sizeof(target), "/v1/tokens/%s", encoded ? encoded : "");
	free(encoded);
	return api_call(a, VIA_STORE_FIRST, "DELETE", target, NULL, NULL);
}
