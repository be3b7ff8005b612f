// SPDX-License-Identifier: MIT
/* The credential bundle: what is read, what is written byte for byte, where it is looked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/atomic_file.h"
#include "lib/tls/bundle.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static char dir[64];

static int set_up(void **state)
{
	strcpy(dir, "/tmp/portunus-bundle-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static int parse(const char *text, struct bundle *b, char *why)
{
	return bundle_parse(text, strlen(text), b, why);
}

static void refuses(const char *text, const char *word)
{
	struct bundle b;
	char why[BUNDLE_ERROR_SIZE];

	assert_int_equal(parse(text, &b, why), -EINVAL);
	if (!strstr(why, word))
		fail_msg("\"%s\" does not say \"%s\"", why, word);
}

static void test_parse(void **state)
{
	struct bundle b;
	char why[BUNDLE_ERROR_SIZE];

	assert_int_equal(parse("{\"version\":1,\"client_name\":\"edge-01\",\"client_id\":\"01J\","
			       "\"server_endpoint\":\"h:7443\",\"server_cert_sha256\":\"" HEX "\","
			       "\"token\":\"t\"}",
			       &b, why),
			 0);
	assert_string_equal(b.client_name, "edge-01");
	assert_string_equal(b.client_id, "01J");
	assert_string_equal(b.server_endpoint, "h:7443");
	assert_string_equal(b.token, "t");
	assert_int_equal(b.pin[1], 0x11);

	/* An old bundle: no version, no id, a certificate; and the pin in upper case. */
	assert_int_equal(
		parse("{\"client_name\":\"e\",\"server_endpoint\":\"h:1\","
		      "\"server_cert_pem\":\"-----\",\"server_cert_sha256\":"
		      "\"00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF\","
		      "\"token\":\"t\"}",
		      &b, why),
		0);
	assert_string_equal(b.client_id, "");
	assert_int_equal(b.pin[10], 0xaa);
}

static void test_refusals(void **state)
{
	refuses("", "not JSON");
	refuses("[]", "object");
	refuses("{\"version\":2}", "version");
	refuses("{\"version\":\"1\"}", "version");
	refuses("{}", "client_name: missing");
	refuses("{\"client_name\":1}", "client_name: not a string");
	refuses("{\"client_name\":\"\"}", "client_name: empty");
	refuses("{\"client_name\":\"a\\u0000b\"}", "not JSON");
	refuses("{\"client_name\":\"e\",\"client_id\":7}", "client_id");
	refuses("{\"client_name\":\"e\",\"server_endpoint\":\"h:1\",\"token\":\"t\","
		"\"server_cert_sha256\":\"00\"}",
		"64 hex");
	refuses("{\"client_name\":\"e\",\"server_endpoint\":\"h:1\",\"server_cert_sha256\":\"" HEX
		"\"}",
		"token: missing");
}

static const char expected[] = "{\n"
			       "  \"version\": 1,\n"
			       "  \"client_name\": \"edge-01\",\n"
			       "  \"client_id\": \"01J9ZK8M3Q6S7T8V9W0X1Y2Z3A\",\n"
			       "  \"server_endpoint\": \"host:7443\",\n"
			       "  \"server_cert_sha256\": \"" HEX "\",\n"
			       "  \"token\": \"secret\"\n"
			       "}";

static void test_write(void **state)
{
	struct bundle b = {.client_name = "edge-01",
			   .client_id = "01J9ZK8M3Q6S7T8V9W0X1Y2Z3A",
			   .server_endpoint = "host:7443",
			   .token = "secret"};
	struct bundle back;
	char path[128], why[BUNDLE_ERROR_SIZE], *text;
	struct stat st;
	size_t len;

	for (int i = 0; i < 32; i++)
		b.pin[i] = (uint8_t)((i % 16) * 0x11);
	snprintf(path, sizeof(path), "%s/a/b/" BUNDLE_FILE_NAME, dir);
	assert_int_equal(bundle_write(path, &b), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_read(path, 4096, &text, &len), 0);
	assert_string_equal(text, expected);
	free(text);
	assert_int_equal(bundle_read(path, &back, why), 0);
	assert_memory_equal(&b, &back, sizeof(b));

	/* Again over the old one, without an id. */
	b.client_id[0] = '\0';
	assert_int_equal(bundle_write(path, &b), 0);
	assert_int_equal(bundle_read(path, &back, why), 0);
	assert_string_equal(back.client_id, "");

	/* With the pin that the server is about to have. */
	memset(b.client_id, 0, sizeof(b.client_id));
	b.has_next_pin = true;
	b.next_pin[0] = 7;
	assert_int_equal(bundle_write(path, &b), 0);
	assert_int_equal(bundle_read(path, &back, why), 0);
	assert_memory_equal(&b, &back, sizeof(b));
}

static void test_write_fails(void **state)
{
	struct bundle b = {.client_name = "e", .server_endpoint = "h:1", .token = "t"};
	char path[128];

	snprintf(path, sizeof(path), "%s/file", dir);
	assert_int_equal(file_write_atomic(path, "x", 1, 0600), 0);
	snprintf(path, sizeof(path), "%s/file/" BUNDLE_FILE_NAME, dir);
	assert_int_equal(bundle_write(path, &b), -ENOTDIR);
	snprintf(path, sizeof(path), "%s/isdir", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(bundle_write(path, &b), -EISDIR);
	memcpy(b.client_name, "\xff", 2);
	snprintf(path, sizeof(path), "%s/utf8", dir);
	assert_int_equal(bundle_write(path, &b), -EINVAL);
}

static void test_read_errors(void **state)
{
	struct bundle b;
	char path[128], why[BUNDLE_ERROR_SIZE];
	char *big = calloc(1, BUNDLE_FILE_MAX + 1);

	snprintf(path, sizeof(path), "%s/none", dir);
	assert_int_equal(bundle_read(path, &b, why), -ENOENT);
	assert_non_null(strstr(why, path));
	snprintf(path, sizeof(path), "%s/big", dir);
	assert_int_equal(file_write_atomic(path, big, BUNDLE_FILE_MAX + 1, 0600), 0);
	assert_int_equal(bundle_read(path, &b, why), -EFBIG);
	assert_int_equal(file_write_atomic(path, big, BUNDLE_FILE_MAX, 0600), 0);
	assert_int_equal(bundle_read(path, &b, why), -EINVAL);
	free(big);
}

static void test_search(void **state)
{
	struct bundle_env env = {.bundle = "/b", .xdg = "/x", .home = "/h"};
	struct bundle_paths p;

	bundle_search(&env, &p);
	assert_int_equal(p.n, 4);
	assert_string_equal(p.path[0], "/b");
	assert_string_equal(p.path[1], "/x/portunus/client.bundle.json");
	assert_string_equal(p.path[2], "/h/.config/portunus/client.bundle.json");
	assert_string_equal(p.path[3], "./client.bundle.json");
	env.bundle = "";
	env.xdg = NULL;
	bundle_search(&env, &p);
	assert_int_equal(p.n, 2);
	env.option = "/o";
	assert_int_equal(bundle_find(&env, &p), 0);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.path[0], "/o");
}

static void test_find_and_target(void **state)
{
	char path[256], target[4096], home[128];
	struct bundle_env env = {.bundle = "/nonexistent/b", .home = home};
	struct bundle_paths p;

	snprintf(home, sizeof(home), "%s", dir);
	assert_int_equal(bundle_find(&env, &p), -1);
	snprintf(path, sizeof(path), "%s/.config/portunus/client.bundle.json", dir);
	assert_int_equal(file_make_parents(path, 0700), 0);
	assert_int_equal(file_write_atomic(path, "{}", 2, 0600), 0);
	assert_int_equal(bundle_find(&env, &p), 1);
	assert_string_equal(p.path[1], path);

	bundle_target(&env, target);
	assert_string_equal(target, path);
	env.home = NULL;
	bundle_target(&env, target);
	assert_string_equal(target, "./client.bundle.json");
	env.option = "/o";
	bundle_target(&env, target);
	assert_string_equal(target, "/o");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test_setup_teardown(test_write, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_write_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_read_errors, set_up, tear_down),
		cmocka_unit_test(test_search),
		cmocka_unit_test_setup_teardown(test_find_and_target, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
