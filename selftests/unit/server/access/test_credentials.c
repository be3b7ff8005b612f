// SPDX-License-Identifier: MIT
/* Tokens, sessions, server.toml, and the exit codes of the command line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/request.h"
#include "lib/base/clock.h"
#include "server/access/credentials.h"
#include "server/run/settings.h"
#include "selftests/unit/server/store/stored.h"

struct fixture {
	char dir[64], why[256];
	struct store *store;
	struct access *a;
	int ended;
	char ended_token[80];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/var/tmp/portunus-access.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(store_open(f->dir, &f->store, f->why, sizeof(f->why)), 0);
	f->a = access_new(f->store);
	assert_non_null(f->a);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	access_free(f->a);
	store_close(f->store);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void reopen(struct fixture *f)
{
	access_free(f->a);
	f->a = access_new(f->store);
	assert_non_null(f->a);
}

static void a_token_is_its_secret_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	char secret[SECRET_TEXT_SIZE], other[SECRET_TEXT_SIZE];
	struct identity who;

	assert_false(access_bootstrapped(f->a));
	assert_int_equal(SETTLED(f->store, access_token_add(f->a, "ops", ROLE_ADMIN, 0, secret,
							    on_outcome, &o)),
			 0);
	assert_int_equal(SETTLED(f->store, access_token_add(f->a, "eye", ROLE_VIEWER, 0, other,
							    on_outcome, &o)),
			 0);
	assert_true(access_bootstrapped(f->a));
	reopen(f);
	assert_int_equal(access_bearer(f->a, secret, &who), 0);
	assert_string_equal(who.name, "ops");
	assert_int_equal(who.role, ROLE_ADMIN);
	assert_int_equal(access_bearer(f->a, other, &who), 0);
	assert_int_equal(who.role, ROLE_VIEWER);
	other[0] ^= 1;
	assert_int_equal(access_bearer(f->a, other, &who), -EACCES);
	assert_int_equal(access_bearer(f->a, "", &who), -EACCES);
}

static void names_are_checked_and_taken_once(void **state)
{
	struct fixture *f = *state;
	char s[SECRET_TEXT_SIZE], longest[66];

	memset(longest, 'a', 65);
	longest[65] = '\0';
	assert_int_equal(SETTLED(f->store,
				 access_token_add(f->a, "", ROLE_VIEWER, 0, s, on_outcome, &o)),
			 -EINVAL);
	assert_int_equal(SETTLED(f->store,
				 access_token_add(f->a, "a b", ROLE_VIEWER, 0, s, on_outcome, &o)),
			 -EINVAL);
	assert_int_equal(SETTLED(f->store,
				 access_token_add(f->a, ".a", ROLE_VIEWER, 0, s, on_outcome, &o)),
			 -EINVAL);
	assert_int_equal(SETTLED(f->store, access_token_add(f->a, longest, ROLE_VIEWER, 0, s,
							    on_outcome, &o)),
			 -EINVAL);
	assert_int_equal(SETTLED(f->store, access_token_add(f->a, longest + 1, ROLE_VIEWER, 0, s,
							    on_outcome, &o)),
			 0);
	assert_int_equal(SETTLED(f->store, access_token_add(f->a, longest + 1, ROLE_ADMIN, 0, s,
							    on_outcome, &o)),
			 -EEXIST);
	assert_int_equal(SETTLED(f->store,
				 access_token_add(f->a, "x", ROLE_NONE, 0, s, on_outcome, &o)),
			 -EINVAL);
}

static void the_last_admin_cannot_be_revoked(void **state)
{
	struct fixture *f = *state;
	char s[SECRET_TEXT_SIZE];

	assert_int_equal(SETTLED(f->store,
				 access_token_add(f->a, "one", ROLE_ADMIN, 0, s, on_outcome, &o)),
			 0);
	assert_int_equal(SETTLED(f->store, access_token_revoke(f->a, "one", on_outcome, &o)),
			 -EPERM);
	assert_int_equal(SETTLED(f->store,
				 access_token_add(f->a, "two", ROLE_ADMIN, 0, s, on_outcome, &o)),
			 0);
	assert_int_equal(SETTLED(f->store, access_token_revoke(f->a, "one", on_outcome, &o)), 0);
	assert_int_equal(SETTLED(f->store, access_token_revoke(f->a, "one", on_outcome, &o)),
			 -ENOENT);
	assert_int_equal(SETTLED(f->store, access_token_revoke(f->a, "three", on_outcome, &o)),
			 -ENOENT);
	/* A revoked name is free again, with another secret. */
	assert_int_equal(SETTLED(f->store,
				 access_token_add(f->a, "one", ROLE_VIEWER, 0, s, on_outcome, &o)),
			 0);
}

/* Records what has ended. */
static void note_end(void *arg, const char *token, const char *session)
{
	struct fixture *f = arg;

	f->ended++;
	snprintf(f->ended_token, sizeof(f->ended_token), "%s%s", token, session ? "/" : "");
}

static void the_token_of_the_file_follows_the_file(void **state)
{
	struct fixture *f = *state;
	const char *owner = NULL;
	struct identity who;
	char s[SECRET_TEXT_SIZE], signed_in[SECRET_TEXT_SIZE];

	access_on_end(f->a, note_end, f);
	assert_int_equal(SETTLED(f->store,
				 access_set_legacy(f->a, "first", &owner, on_outcome, &o)),
			 0);
	assert_int_equal(access_bearer(f->a, "first", &who), 0);
	assert_string_equal(who.name, ACCESS_LEGACY);
	assert_int_equal(SETTLED(f->store,
				 access_login(f->a, "first", signed_in, &who, on_outcome, &o)),
			 0);
	assert_int_equal(access_session(f->a, signed_in, &who), 0);
	/* Another secret: who signed in with the old one is out. */
	assert_int_equal(SETTLED(f->store,
				 access_set_legacy(f->a, "second", &owner, on_outcome, &o)),
			 0);
	assert_int_equal(access_bearer(f->a, "first", &who), -EACCES);
	assert_int_equal(access_session(f->a, signed_in, &who), -EACCES);
	assert_string_equal(f->ended_token, ACCESS_LEGACY);
	assert_int_equal(access_bearer(f->a, "second", &who), 0);
	/* Revoked: the same secret does not come back with the next start. */
	assert_int_equal(SETTLED(f->store,
				 access_token_add(f->a, "ops", ROLE_ADMIN, 0, s, on_outcome, &o)),
			 0);
	assert_int_equal(SETTLED(f->store,
				 access_token_revoke(f->a, ACCESS_LEGACY, on_outcome, &o)),
			 0);
	assert_int_equal(SETTLED(f->store,
				 access_set_legacy(f->a, "second", &owner, on_outcome, &o)),
			 1);
	assert_int_equal(access_bearer(f->a, "second", &who), -EACCES);
	/* Taken out of the file: gone, after a restart too. */
	assert_int_equal(SETTLED(f->store,
				 access_set_legacy(f->a, "third", &owner, on_outcome, &o)),
			 0);
	assert_int_equal(SETTLED(f->store,
				 access_login(f->a, "third", signed_in, &who, on_outcome, &o)),
			 0);
	assert_int_equal(SETTLED(f->store, access_set_legacy(f->a, NULL, &owner, on_outcome, &o)),
			 0);
	assert_int_equal(access_bearer(f->a, "third", &who), -EACCES);
	reopen(f);
	assert_int_equal(access_bearer(f->a, "third", &who), -EACCES);
	assert_int_equal(access_session(f->a, signed_in, &who), -EACCES);
	/* Another token's secret is named. */
	assert_int_equal(SETTLED(f->store, access_set_legacy(f->a, s, &owner, on_outcome, &o)),
			 -EEXIST);
	assert_string_equal(owner, "ops");
}

static void nobody_signs_the_others_out(void **state)
{
	struct fixture *f = *state;
	char admin[SECRET_TEXT_SIZE], viewer[SECRET_TEXT_SIZE], first[SECRET_TEXT_SIZE],
		s[SECRET_TEXT_SIZE];
	struct identity who;

	assert_int_equal(SETTLED(f->store, access_token_add(f->a, "ops", ROLE_ADMIN, 0, admin,
							    on_outcome, &o)),
			 0);
	assert_int_equal(SETTLED(f->store, access_token_add(f->a, "eye", ROLE_VIEWER, 0, viewer,
							    on_outcome, &o)),
			 0);
	assert_int_equal(SETTLED(f->store, access_login(f->a, admin, first, &who, on_outcome, &o)),
			 0);
	access_on_end(f->a, note_end, f);
	for (int i = 0; i < SIGN_INS_MAX + 1; i++)
		assert_int_equal(SETTLED(f->store,
					 access_login(f->a, viewer, s, &who, on_outcome, &o)),
				 0);
	assert_int_equal(access_session(f->a, first, &who), 0);
	/* Whoever was pushed out is told of. */
	assert_int_equal(f->ended, SIGN_INS_MAX + 1 - SIGN_INS_OF_TOKEN_MAX);
	assert_string_equal(f->ended_token, "eye/");
	assert_int_equal(SETTLED(f->store, access_logout(f->a, s, on_outcome, &o)), 0);
	assert_int_equal(f->ended, SIGN_INS_MAX + 2 - SIGN_INS_OF_TOKEN_MAX);
}

static void a_token_ends_at_its_time_and_shows_its_use(void **state)
{
	struct fixture *f = *state;
	char keep[SECRET_TEXT_SIZE], s[SECRET_TEXT_SIZE], signed_in[SECRET_TEXT_SIZE];
	const struct access_token *t;
	struct identity who;
	size_t n;

	access_on_end(f->a, note_end, f);
	assert_int_equal(SETTLED(f->store, access_token_add(f->a, "ops", ROLE_ADMIN, 0, keep,
							    on_outcome, &o)),
			 0);
	assert_int_equal(SETTLED(f->store,
				 access_token_add(f->a, "temp", ROLE_ADMIN, clock_wall_ms() + 2000,
						  s, on_outcome, &o)),
			 0);
	assert_int_equal(SETTLED(f->store, access_token_add(f->a, "temp", ROLE_ADMIN, 0, keep,
							    on_outcome, &o)),
			 -EEXIST);
	t = access_tokens(f->a, &n);
	assert_int_equal(t[1].used_ms, 0);
	assert_int_equal(SETTLED(f->store, access_login(f->a, s, signed_in, &who, on_outcome, &o)),
			 0);
	assert_true(access_tokens(f->a, &n)[1].used_ms > 0);
	/* The one that lasts is the last admin. */
	assert_int_equal(SETTLED(f->store, access_token_revoke(f->a, "ops", on_outcome, &o)),
			 -EPERM);
	usleep(2100000);
	assert_int_equal(access_bearer(f->a, s, &who), -EACCES);
	assert_int_equal(access_session(f->a, signed_in, &who), -EACCES);
	access_sweep(f->a);
	assert_string_equal(f->ended_token, "temp");
	assert_int_equal(f->ended, 2); /* the sign-in, and the token */
	reopen(f);
	t = access_tokens(f->a, &n);
	assert_true(t[1].expires_ms > 0 && t[1].used_ms > 0);
	assert_int_equal(SETTLED(f->store,
				 access_token_add(f->a, "temp", ROLE_VIEWER, 0, s, on_outcome, &o)),
			 0);
}

static void a_new_token_takes_over_no_session_of_its_name(void **state)
{
	struct fixture *f = *state;
	char s[SECRET_TEXT_SIZE], signed_in[SECRET_TEXT_SIZE];
	struct identity who;

	/* No sweep has seen the first one's end: of a server that runs, and of one that did not. */
	for (int restarted = 0; restarted < 2; restarted++) {
		assert_int_equal(SETTLED(f->store, access_token_add(f->a, "bob", ROLE_VIEWER,
								    clock_wall_ms() + 200, s,
								    on_outcome, &o)),
				 0);
		assert_int_equal(SETTLED(f->store,
					 access_login(f->a, s, signed_in, &who, on_outcome, &o)),
				 0);
		assert_int_equal(access_session(f->a, signed_in, &who), 0);
		usleep(250000);
		if (restarted)
			reopen(f);
		access_on_end(f->a, note_end, f);
		f->ended = 0;
		assert_int_equal(SETTLED(f->store, access_token_add(f->a, "bob", ROLE_OPERATOR, 0,
								    s, on_outcome, &o)),
				 0);
		assert_int_equal(access_session(f->a, signed_in, &who), -EACCES);
		assert_int_equal(f->ended, 2); /* the sign-in, and the token */
		reopen(f);
		assert_int_equal(access_session(f->a, signed_in, &who), -EACCES);
		assert_int_equal(SETTLED(f->store,
					 access_token_revoke(f->a, "bob", on_outcome, &o)),
				 0);
	}
}

static void sessions_end_with_their_token_or_their_time(void **state)
{
	struct fixture *f = *state;
	char token[SECRET_TEXT_SIZE], other[SECRET_TEXT_SIZE], secret[SECRET_TEXT_SIZE];
	struct store_session old = {.token_name = "ops"};
	char hash[SECRET_HASH_SIZE];
	struct identity who;

	assert_int_equal(SETTLED(f->store, access_token_add(f->a, "ops", ROLE_ADMIN, 0, token,
							    on_outcome, &o)),
			 0);
	assert_int_equal(SETTLED(f->store, access_token_add(f->a, "two", ROLE_ADMIN, 0, other,
							    on_outcome, &o)),
			 0);
	assert_int_equal(SETTLED(f->store,
				 access_login(f->a, "wrong", secret, &who, on_outcome, &o)),
			 -EACCES);
	assert_int_equal(SETTLED(f->store, access_login(f->a, token, secret, &who, on_outcome, &o)),
			 0);
	reopen(f);
	assert_int_equal(access_session(f->a, secret, &who), 0);
	assert_string_equal(who.name, "ops");
	assert_int_equal(access_session(f->a, token, &who), -EACCES);
	assert_int_equal(SETTLED(f->store, access_token_revoke(f->a, "ops", on_outcome, &o)), 0);
	assert_int_equal(access_session(f->a, secret, &who), -EACCES);
	/* Idle for nine hours, and a week old. */
	secret_hash("idle", hash);
	old.hash = hash;
	old.token_name = "two";
	old.created_ms = old.used_ms = clock_wall_ms() - 9ull * 3600 * 1000;
	assert_int_equal(STORED(f->store, store_session_put(tx, &old)), 0);
	reopen(f);
	assert_int_equal(access_session(f->a, "idle", &who), -EACCES);
	secret_hash("old", hash);
	old.used_ms = clock_wall_ms();
	old.created_ms = old.used_ms - 8ull * 86400 * 1000;
	assert_int_equal(STORED(f->store, store_session_put(tx, &old)), 0);
	reopen(f);
	assert_int_equal(access_session(f->a, "old", &who), -EACCES);
}

static int settings_of(struct fixture *f, const char *toml, struct settings *s)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/server.toml", f->dir);
	out = fopen(path, "w");
	fputs(toml, out);
	fclose(out);
	return settings_read(f->dir, s, f->why, sizeof(f->why));
}

static void settings_have_defaults(void **state)
{
	struct fixture *f = *state;
	char text[ADDR_TEXT_MAX], path[128];
	struct settings s;

	assert_int_equal(settings_read(f->dir, &s, f->why, sizeof(f->why)), 0);
	assert_string_equal(addr_text(&s.control_listen, text, sizeof(text)), "0.0.0.0:7443");
	assert_string_equal(addr_text(&s.operator_http_listen, text, sizeof(text)),
			    "127.0.0.1:7080");
	assert_string_equal(addr_text(&s.metrics_listen, text, sizeof(text)), "127.0.0.1:7081");
	snprintf(path, sizeof(path), "%s/server.key", f->dir);
	assert_string_equal(s.tls_key_path, path);
	assert_int_equal(s.udp_flow_idle_secs, 60);
	assert_null(s.operator_token);
	settings_free(&s);
}

static void settings_name_file_line_and_reason(void **state)
{
	struct fixture *f = *state;
	struct settings s;

	assert_int_equal(settings_of(f, "control_listen = \"[::1]:0\"\n", &s), 0);
	assert_int_equal(s.control_listen.sa.sa_family, AF_INET6);
	settings_free(&s);
	assert_int_equal(settings_of(f, "# one\n\nnonsense = 1\n", &s), -EINVAL);
	assert_non_null(strstr(f->why, "server.toml:3"));
	assert_non_null(strstr(f->why, "nonsense"));
	assert_int_equal(settings_of(f, "udp_flow_idle_secs = 29\n", &s), -EINVAL);
	assert_int_equal(settings_of(f, "control_listen = \"localhost:1\"\n", &s), -EINVAL);
	assert_non_null(strstr(f->why, "control_listen"));
	assert_int_equal(settings_of(f, "operator_http_public_origin = \"https://h/p\"\n", &s),
			 -EINVAL);
	assert_int_equal(settings_of(f, "operator_http_tls_cert_path = \"x\"\n", &s), -EINVAL);
	assert_int_equal(settings_of(f, "token_store_path = \"x\"\nlog_format = \"compact\"\n", &s),
			 0);
	settings_free(&s);
}

static void every_code_has_its_exit_code(void **state)
{
	static const struct {
		int status;
		const char *code;
		int exit;
	} codes[] = {
		{400, "targets_empty", 3},
		{400, "validation.rule_update_shape_mismatch", 3},
		{409, "conflict.sni_route_duplicate", 3},
		{409, "port_in_use", 5},
		{422, "multi_target_unsupported_by_client", 3},
		{422, "invalid_body", 3},
		{422, "client_not_connected", 4},
		{401, "unauthenticated", 4},
		{401, "credential_invalid", 4},
		{503, "bootstrap_required", 4},
		{403, "not_owner", 5},
		{403, "role_required", 5},
		{422, "activation_failed", 6},
		{504, "ack_timeout", 7},
		{404, "rule_not_found", 8},
		{404, "client_not_found", 8},
		{413, "body_too_large", 3},
		{500, "store_error", 1},
		{503, "too_many_connections", 1},
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		assert_int_equal(exit_of(codes[i].status, codes[i].code), codes[i].exit);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_token_is_its_secret_and_nothing_else),
		TEST(names_are_checked_and_taken_once),
		TEST(the_last_admin_cannot_be_revoked),
		TEST(the_token_of_the_file_follows_the_file),
		TEST(nobody_signs_the_others_out),
		TEST(a_token_ends_at_its_time_and_shows_its_use),
		TEST(a_new_token_takes_over_no_session_of_its_name),
		TEST(sessions_end_with_their_token_or_their_time),
		TEST(settings_have_defaults),
		TEST(settings_name_file_line_and_reason),
		cmocka_unit_test(every_code_has_its_exit_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
