// SPDX-License-Identifier: MIT
/* serve, init, and the verbs about operators' tokens */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli/http.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/verbs.h"
#include "lib/base/instance.h"
#include "lib/base/secret.h"
#include "lib/base/table.h"
#include "lib/rule/host.h"

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
	/* Root's home can be reached by root only, and the server half is not root's. */
	if (!a->data_dir_given)
		out->data_dir = CLI_UNIT_DIR;
	return -1;
}

int verb_serve(struct cli_args *a)
{
	struct cli_serve what = {.data_dir = a->data_dir, .advertised = a->advertised};
	int rc = edge_options(a, &what);

	what.operator_http_listen = args_option(a, "operator-http-listen");
	if (!what.operator_http_listen) {
		what.operator_http_listen = cli_env("PORTUNUS_OPERATOR_HTTP_LISTEN");
	}
	return rc < 0 ? a->host->serve(&what) : rc;
}

int verb_gen_token(struct cli_args *a)
{
	char secret[SECRET_TEXT_SIZE];

	if (secret_new(secret))
		return cli_failure(a, EXIT_OTHER, "randomness", "no randomness");
	printf(a->json ? "{\"token\":\"%s\"}\n" : "%s\n", secret);
	return EXIT_OK;
}

int verb_init(struct cli_args *a)
{
	char pin[2 * 32 + 1], why[600] = "";
	int err = a->host->init(a->data_dir, a->advertised, pin, why, sizeof(why));

	if (err == -EEXIST)
		return cli_error(a, EXIT_INVALID, "store_exists", "%s has a store already",
				 a->data_dir);
	if (err)
		return cli_failure(a, err == -EPROTO ? EXIT_SCHEMA : EXIT_OTHER, "store", "%s",
				   why[0] ? why : strerror(-err));
	if (a->json) {
		json_t *o = json_pack("{s:s,s:s}", "data_dir", a->data_dir, "server_cert_sha256",
				      pin);

		print_json(o);
		json_decref(o);
	} else {
		printf("data_dir=%s\nserver_cert_sha256=%s\n", a->data_dir, pin);
	}
	cli_note(a,
		 "next: `portunus-server token-add NAME --role admin` makes a token for the API");
	return EXIT_OK;
}

/* ---- tokens ---- */

/* Whether what is printed will arrive, as far as that can be known before a secret is made. */
static bool output_works(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
	struct statvfs fs;
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) || (poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLNVAL)))
		return false;
	if (S_ISREG(st.st_mode) && !fstatvfs(STDOUT_FILENO, &fs) && !fs.f_bavail)
		return false;
	return !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 7)); /* /dev/full */
}

static int delete_token(struct cli_args *a, const char *name)
{
	char *path = url_with("/v1/tokens/", name, "");
	int rc = path ? api_call(a, "DELETE", path, NULL, NULL)
		      : cli_failure(a, EXIT_OTHER, "memory", "out of memory");

	free(path);
	return rc;
}

/* A token that could not be printed is nobody's: it goes again. */
static int undo_token(struct cli_args *a, const char *name)
{
	int rc = cli_failure(a, EXIT_OTHER, "output", "stdout: %s: the token could not be printed",
			     strerror(errno));

	if (delete_token(a, name))
		cli_note(a, "the token '%s' is there, and nobody knows it: revoke it", name);
	return rc;
}

/* Makes a token and prints it: @format with its name, role and secret. */
static int make_token(struct cli_args *a, const char *name, const char *role, bool bootstrap)
{
	const char *expires = args_option(a, "expires-at");
	json_t *body, *answer = NULL;
	int rc;

	if (!output_works())
		return cli_failure(a, EXIT_OTHER, "output",
				   "stdout cannot be written to; no token was made");
	body = json_pack("{s:s,s:s}", "name", name, "role", role);
	if (!body)
		return cli_error(a, EXIT_INVALID, "invalid_user_id", "a name has to be UTF-8");
	if (expires)
		json_object_set_new(body, "expires_at", json_string(expires));
	rc = api_call(a, "POST", "/v1/tokens", body, &answer);
	if (rc)
		return rc;
	if (a->json)
		print_json(answer);
	else if (bootstrap)
		printf("superadmin user_id=_superadmin token=%s\n", text_of(answer, "token", ""));
	else
		printf("name=%s role=%s token=%s\n", text_of(answer, "name", ""),
		       text_of(answer, "role", ""), text_of(answer, "token", ""));
	json_decref(answer);
	if (fflush(stdout))
		return undo_token(a, name);
	cli_note(a, "next: it is shown this once; commands take it from PORTUNUS_OPERATOR_TOKEN, "
		    "the page asks for it");
	return EXIT_OK;
}

int verb_bootstrap(struct cli_args *a)
{
	return make_token(a, "_superadmin", "admin", true);
}

int verb_token_add(struct cli_args *a)
{
	const char *role = args_option(a, "role");

	return make_token(a, a->positional[0], role ? role : "operator", false);
}

int verb_token_list(struct cli_args *a)
{
	static const struct column columns[] = {{"NAME", .cut = true}, {"ROLE"},
						{"CREATED_AT"},	       {"REVOKED_AT"},
						{"EXPIRES_AT"},	       {"LAST_USED_AT"}};
	json_t *tokens = NULL, *t;
	struct table table = {.columns = columns, .n_columns = 6};
	size_t i;
	int rc = api_call(a, "GET", "/v1/tokens", NULL, &tokens);

	if (rc)
		return rc;
	if (a->json) {
		print_json(tokens);
	} else {
		json_array_foreach (tokens, i, t) {
			table_cell(&table, "%s", text_of(t, "name", "-"));
			table_cell(&table, "%s", text_of(t, "role", "-"));
			table_cell(&table, "%s", text_of(t, "created_at", "-"));
			table_cell(&table, "%s", text_of(t, "revoked_at", "-"));
			table_cell(&table, "%s", text_of(t, "expires_at", "-"));
			table_cell(&table, "%s", text_of(t, "last_used_at", "-"));
		}
		table_print(&table, stdout);
	}
	json_decref(tokens);
	return EXIT_OK;
}

int verb_token_revoke(struct cli_args *a)
{
	int rc = delete_token(a, a->positional[0]);

	if (!rc && a->json)
		print_done("revoked", json_string(a->positional[0]));
	return rc;
}
