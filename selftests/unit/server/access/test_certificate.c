// SPDX-License-Identifier: MIT
/* The certificate that edges know the server by: made once, never changed by itself. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/atomic_file.h"
#include "lib/base/log.h"
#include "lib/tls/tls.h"
#include "server/access/certificate.h"

struct fixture {
	char dir[64], cert[96], key[96], marker[96], why[512];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_init("test", "off");
	snprintf(f->dir, sizeof(f->dir), "/var/tmp/portunus-cert.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->cert, sizeof(f->cert), "%s/server.crt", f->dir);
	snprintf(f->key, sizeof(f->key), "%s/server.key", f->dir);
	snprintf(f->marker, sizeof(f->marker), "%s/.portunus-autocert", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static int ensure(struct fixture *f, const char *advertised)
{
	return certificate_ensure(f->dir, f->cert, f->key, advertised, f->why, sizeof(f->why));
}

static void it_is_kept_whatever_is_advertised(void **state)
{
	struct fixture *f = *state;
	uint8_t first[TLS_PIN_SIZE], now[TLS_PIN_SIZE];

	assert_int_equal(ensure(f, "one.example:7443"), 0);
	assert_true(certificate_is_ours(f->dir));
	assert_int_equal(tls_cert_names_host(f->cert, "one.example"), 1);
	assert_int_equal(tls_pin_of_file(f->cert, first), 0);
	assert_int_equal(ensure(f, "two.example:7443"), 0);
	assert_int_equal(ensure(f, NULL), 0);
	assert_int_equal(tls_pin_of_file(f->cert, now), 0);
	assert_memory_equal(first, now, sizeof(now));
	assert_true(certificate_expiry(f->cert) > time(NULL) + 9 * 365 * 86400ll);
}

static void half_a_pair_is_never_completed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ensure(f, NULL), 0);
	assert_int_equal(unlink(f->cert), 0);
	assert_int_equal(ensure(f, NULL), -ENOENT);
	assert_non_null(strstr(f->why, f->cert));
	assert_non_null(strstr(f->why, "backup"));
	assert_int_equal(access(f->cert, F_OK), -1);
}

static void a_crash_while_making_it_leaves_no_half_pair(void **state)
{
	struct fixture *f = *state;
	char saved[128];

	/* The key was written, the certificate not yet. */
	assert_int_equal(ensure(f, NULL), 0);
	assert_int_equal(unlink(f->cert), 0);
	assert_int_equal(file_write_atomic(f->marker, "(unfinished)\n", 13, 0600), 0);
	assert_int_equal(ensure(f, NULL), 0);
	assert_int_equal(tls_cert_names_host(f->cert, "localhost"), 1);
	/* It is finished now, and stays. */
	snprintf(saved, sizeof(saved), "%s.saved", f->cert);
	assert_int_equal(link(f->cert, saved), 0);
	assert_int_equal(ensure(f, NULL), 0);
	assert_int_equal(unlink(f->cert), 0);
	assert_int_equal(ensure(f, NULL), -ENOENT);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_is_kept_whatever_is_advertised),
		TEST(half_a_pair_is_never_completed),
		TEST(a_crash_while_making_it_leaves_no_half_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
