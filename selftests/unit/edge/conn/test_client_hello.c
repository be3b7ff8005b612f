// SPDX-License-Identifier: MIT
/* ClientHellos: what real clients send, cut and split in every way, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "edge/conn/client_hello.h"

#define CORPUS "selftests/fuzz/corpus/client_hello/"

static const struct {
	const char *file, *name, *alpn;
} real[] = {
	{"openssl-tls13", "a.example", "h2,http/1.1"},
	{"openssl-tls12", "a.example", ""},
	{"openssl-no-name", NULL, ""},
	{"curl", "www.a.example", "h2,http/1.1"},
	{"node", "b.a.example", ""},
	{"chromium", "a.example", "h2,http/1.1"}, /* post-quantum: more than a segment holds */
};
#define N_REAL (sizeof(real) / sizeof(real[0]))

static size_t read_real(const char *file, uint8_t *out, size_t room)
{
	char path[128];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), CORPUS "%s", file);
	f = fopen(path, "re");
	if (!f)
		fail_msg("%s is not there; unit tests run in the root of the tree", path);
	n = fread(out, 1, room, f);
	fclose(f);
	return n;
}

/* The message of a hello in one record, in records of @part bytes. */
static size_t split(const uint8_t *hello, size_t len, size_t part, uint8_t *out)
{
	size_t at = 0;

	for (size_t done = 5; done < len; done += part) {
		size_t n = len - done < part ? len - done : part;

		memcpy(out + at, (const uint8_t[]){22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n}, 5);
		memcpy(out + at + 5, hello + done, n);
		at += 5 + n;
	}
	return at;
}

static void check(const uint8_t *bytes, size_t len, size_t i)
{
	struct client_hello h;

	assert_int_equal(client_hello_parse(bytes, len, &h), HELLO_WHOLE);
	assert_int_equal(h.has_name, real[i].name != NULL);
	assert_string_equal(h.name, real[i].name ? real[i].name : "");
	assert_string_equal(h.alpn, real[i].alpn);
}

static void test_real(void **state)
{
	uint8_t bytes[4096], other[8192];
	struct client_hello h;

	for (size_t i = 0; i < N_REAL; i++) {
		size_t len = read_real(real[i].file, bytes, sizeof(bytes)), n;

		check(bytes, len, i);
		memcpy(other, bytes, len);
		memset(other + len, 0xff, 100);
		check(other, len + 100, i);
		for (size_t cut = 0; cut < len; cut++)
			if (client_hello_parse(bytes, cut, &h) != HELLO_MORE)
				fail_msg("%s cut after %zu", real[i].file, cut);
		n = split(bytes, len, (len - 5) / 2 + 1, other);
		check(other, n, i);
		n = split(bytes, len, (len - 5 + 15) / 16, other);
		check(other, n, i);
		for (size_t cut = 0; cut < n; cut++)
			if (client_hello_parse(other, cut, &h) != HELLO_MORE)
				fail_msg("%s split, cut after %zu", real[i].file, cut);
		n = split(bytes, len, (len - 5) / 16, other);
		if ((len - 5) % 16)
			assert_int_equal(client_hello_parse(other, n, &h), HELLO_TOO_LARGE);
	}
}

/* Every byte changed in turn: never whole with what is not there, never a crash. */
static void test_changed(void **state)
{
	uint8_t bytes[4096];
	struct client_hello h;

	for (size_t i = 0; i < N_REAL; i++) {
		size_t len = read_real(real[i].file, bytes, sizeof(bytes));

		for (size_t at = 0; at < len; at++)
			for (unsigned bit = 0; bit < 8; bit++) {
				bytes[at] ^= (uint8_t)(1 << bit);
				if (client_hello_parse(bytes, len, &h) == HELLO_WHOLE)
					assert_true(strlen(h.name) <= HELLO_NAME_MAX);
				bytes[at] ^= (uint8_t)(1 << bit);
			}
	}
}

static void test_none(void **state)
{
	static const struct {
		enum hello_verdict verdict;
		size_t len;
		const char *bytes;
	} cases[] = {
		{HELLO_MORE, 0, ""},
		{HELLO_MORE, 1, "\x16"},
		{HELLO_MORE, 5, "\x16\x03\x01\x00\x05"},
		{HELLO_NOT_TLS, 1, "G"},
		{HELLO_NOT_TLS, 1, "\x80"}, /* SSL 2 */
		{HELLO_NOT_TLS, 2, "\x16\x02"},
		{HELLO_NOT_TLS, 1, "\x17"},
		{HELLO_MALFORMED, 5, "\x16\x03\x01\x00\x00"},
		{HELLO_MALFORMED, 5, "\x16\x03\x01\x40\x01"},
		{HELLO_MALFORMED, 6, "\x16\x03\x01\x00\x05\x02"},
		{HELLO_MALFORMED, 7, "\x16\x03\x01\x00\x01\x01\x17"}, /* another record between */
		{HELLO_MALFORMED, 9, "\x16\x03\x01\x00\x04\x01\x00\x00\x00"},
		{HELLO_TOO_LARGE, 9, "\x16\x03\x01\x40\x00\x01\x00\xff\xfd"},
		{HELLO_MORE, 9,
		 "\x16\x03\x01\x40\x00\x01\x00\xff\xf7"}, /* 65,536 with one record */
	};
	struct client_hello h;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum hello_verdict v = client_hello_parse((const uint8_t *)cases[i].bytes,
							  cases[i].len, &h);

		if (v != cases[i].verdict)
			fail_msg("case %zu: %s", i, hello_verdict_text(v));
	}
}

/* A hello whose one extension is this. */
static enum hello_verdict parse_extension(const void *extension, size_t n, struct client_hello *h)
{
	uint8_t b[1024] = {22, 3, 1};
	size_t at = 9 + 2 + 32;

	b[at++] = 0;
	memcpy(b + at, "\0\2\x13\x01\1\0", 6);
	at += 6;
	b[at++] = (uint8_t)(n >> 8);
	b[at++] = (uint8_t)n;
	memcpy(b + at, extension, n);
	at += n;
	b[3] = (uint8_t)((at - 5) >> 8);
	b[4] = (uint8_t)(at - 5);
	b[5] = 1;
	b[7] = (uint8_t)((at - 9) >> 8);
	b[8] = (uint8_t)(at - 9);
	return client_hello_parse(b, at, h);
}

static void test_names(void **state)
{
	static const struct {
		enum hello_verdict verdict;
		size_t len;
		const char *bytes, *name;
	} cases[] = {
		{HELLO_WHOLE, 0, "", NULL},
		{HELLO_WHOLE, 12,
		 "\0\0\0\x08\0\x06\0\0\x03"
		 "A.b",
		 "a.b"},
		{HELLO_WHOLE, 13,
		 "\0\0\0\x09\0\x07\0\0\x04"
		 "a.b.",
		 "a.b"},
		{HELLO_WHOLE, 10,
		 "\0\0\0\x06\0\x04\0\0\x01"
		 ".",
		 ""},
		{HELLO_WHOLE, 12,
		 "\0\0\0\x08\0\x06\0\0\x03"
		 "a\0b",
		 ""},
		{HELLO_WHOLE, 12,
		 "\0\0\0\x08\0\x06\0\0\x03"
		 "a\xe4"
		 "b",
		 ""},
		/* A name of another type before it, and a second host name. */
		{HELLO_WHOLE, 18,
		 "\0\0\0\x0e\0\x0c\x07\0\x01"
		 "z\0\0\x01"
		 "a\0\0\x01"
		 "b",
		 "a"},
		{HELLO_MALFORMED, 9, "\0\0\0\x05\0\x03\0\0\0", NULL}, /* no letter */
		{HELLO_MALFORMED, 6, "\0\0\0\x02\0\0", NULL},
		{HELLO_MALFORMED, 12,
		 "\0\0\0\x08\0\x05\0\0\x03"
		 "a.b",
		 NULL},
		{HELLO_MALFORMED, 12,
		 "\0\0\0\x08\0\x06\0\0\x04"
		 "a.b",
		 NULL},
		{HELLO_MALFORMED, 20,
		 "\0\0\0\x06\0\x04\0\0\x01"
		 "a\0\0\0\x06\0\x04\0\0\x01"
		 "b",
		 NULL},
		{HELLO_MALFORMED, 3, "\0\0\0", NULL},
		{HELLO_MALFORMED, 7, "\0\x10\0\x03\0\x01\0", NULL}, /* ALPN: an empty protocol */
	};
	struct client_hello h;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum hello_verdict v = parse_extension(cases[i].bytes, cases[i].len, &h);

		if (v != cases[i].verdict)
			fail_msg("case %zu: %s", i, hello_verdict_text(v));
		if (v != HELLO_WHOLE)
			continue;
		assert_int_equal(h.has_name, cases[i].name != NULL);
		assert_string_equal(h.name, cases[i].name ? cases[i].name : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
