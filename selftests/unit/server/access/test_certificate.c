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

static void pin_of(const char *path, uint8_t pin[TLS_PIN_SIZE])
{
	assert_int_equal(tls_pin_of_file(path, pin), 0);
}

static void check_served(struct fixture *f, const uint8_t pin[TLS_PIN_SIZE])
{
	uint8_t now[TLS_PIN_SIZE];

	pin_of(f->cert, now);
	assert_memory_equal(now, pin, sizeof(now));
}

/* Beside the pair in use, as an operator does. */
static void put_next(struct fixture *f, bool with_key)
{
	const char *hosts[] = {"own.example"};
	char cert[128], key[128];

	snprintf(cert, sizeof(cert), "%s.next", f->cert);
	snprintf(key, sizeof(key), "%s.next", f->key);
	assert_int_equal(tls_cert_generate(cert, key, "own.example", hosts, 1), 0);
	if (!with_key)
		assert_int_equal(unlink(key), 0);
}

static void a_next_certificate_without_its_key_is_left_alone(void **state)
{
	struct fixture *f = *state;
	uint8_t first[TLS_PIN_SIZE];
	char next[128], why[TLS_ERROR_SIZE];

	assert_int_equal(ensure(f, NULL), 0);
	pin_of(f->cert, first);
	put_next(f, false);
	assert_int_equal(certificate_make_next(f->cert, f->key, NULL, why), -EINVAL);
	assert_int_equal(certificate_switch(f->cert, f->key, why), -EINVAL);
	check_served(f, first);
	/* A start does not take it for a switch that was broken off. */
	assert_int_equal(ensure(f, NULL), 0);
	check_served(f, first);
	/* Nor with another's key. */
	snprintf(next, sizeof(next), "%s.next", f->key);
	assert_int_equal(link(f->key, next), 0);
	assert_int_equal(certificate_make_next(f->cert, f->key, NULL, why), -EINVAL);
	assert_int_equal(certificate_switch(f->cert, f->key, why), -EINVAL);
	check_served(f, first);
}

static void a_broken_off_switch_is_finished(void **state)
{
	struct fixture *f = *state;
	uint8_t next_pin[TLS_PIN_SIZE];
	char next[128], why[TLS_ERROR_SIZE];

	assert_int_equal(ensure(f, NULL), 0);
	put_next(f, true);
	snprintf(next, sizeof(next), "%s.next", f->cert);
	pin_of(next, next_pin);
	snprintf(next, sizeof(next), "%s.next", f->key);
	assert_int_equal(rename(next, f->key), 0);
	assert_int_equal(ensure(f, NULL), 0);
	check_served(f, next_pin);
	/* Nothing is left to be done. */
	assert_false(certificate_has_next(f->cert));
	assert_int_equal(certificate_switch(f->cert, f->key, why), 0);
	check_served(f, next_pin);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_is_kept_whatever_is_advertised),
		TEST(half_a_pair_is_never_completed),
		TEST(a_crash_while_making_it_leaves_no_half_pair),
		TEST(a_next_certificate_without_its_key_is_left_alone),
		TEST(a_broken_off_switch_is_finished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
