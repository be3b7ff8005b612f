// SPDX-License-Identifier: MIT
/* Headers of the PROXY protocol as they come: whole, in pieces, wrong, and what is none. */
#include <arpa/inet.h>
#include <string.h>

#include "edge/conn/proxy_header.h"
#include "edge/conn/proxy_parse.h"
#include "selftests/unit/rig.h"

static enum proxy_verdict parse(const void *bytes, size_t size, struct proxy_said *said)
{
	return proxy_parse(bytes, size, said);
}

static void text_is(const char *text, enum proxy_verdict want, size_t len, const char *client)
{
	struct proxy_said said;
	char shown[ADDR_TEXT_MAX] = "";
	enum proxy_verdict v = parse(text, strlen(text), &said);

	if (v != want)
		fail_msg("%d instead of %d: %s", v, want, text);
	if (v != PROXY_WHOLE)
		return;
	if (said.known)
		addr_text(&said.client, shown, sizeof(shown));
	assert_string_equal(shown, client);
	assert_int_equal(said.len, len);
}

static void test_text(void **state)
{
	char line[200] = "PROXY UNKNOWN ";

	text_is("PROXY TCP4 192.0.2.1 198.51.100.7 5000 443\r\nGET", PROXY_WHOLE, 44,
		"192.0.2.1:5000");
	text_is("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", PROXY_WHOLE, 36, "[2001:db8::1]:1");
	text_is("PROXY UNKNOWN\r\n", PROXY_WHOLE, 15, "");
	text_is("PROXY UNKNOWN ffff::1 what ever\r\nx", PROXY_WHOLE, 33, "");
	text_is("PROXY TCP4 192.0.2.1 198.51.100.7 0 443\r\n", PROXY_WHOLE, 41, "192.0.2.1:0");
	text_is("", PROXY_MORE, 0, "");
	text_is("P", PROXY_MORE, 0, "");
	text_is("PROXY TCP4 192.0.2.1", PROXY_MORE, 0, "");
	text_is("PROXY UNKNOWN\r", PROXY_MORE, 0, "");
	text_is("GET / HTTP/1.1\r\n", PROXY_NONE, 0, "");
	text_is("PROXX", PROXY_NONE, 0, "");
	text_is("proxy TCP4", PROXY_NONE, 0, "");
	text_is("PROXY \r\n", PROXY_BAD, 0, "");
	text_is("PROXY TCP5 192.0.2.1 198.51.100.7 5000 443\r\n", PROXY_BAD, 0, "");
	text_is("PROXY TCP4 2001:db8::1 198.51.100.7 5000 443\r\n", PROXY_BAD, 0, "");
	text_is("PROXY TCP6 192.0.2.1 198.51.100.7 5000 443\r\n", PROXY_BAD, 0, "");
	text_is("PROXY TCP4 192.0.2.1 198.51.100.7 5000\r\n", PROXY_BAD, 0, "");
	text_is("PROXY TCP4 192.0.2.1 198.51.100.7 5000 443 \r\n", PROXY_BAD, 0, "");
	text_is("PROXY TCP4 192.0.2.1 198.51.100.7 5000 443 1\r\n", PROXY_BAD, 0, "");
	text_is("PROXY TCP4  192.0.2.1 198.51.100.7 5000 443\r\n", PROXY_BAD, 0, "");
	text_is("PROXY TCP4 192.0.2.1 198.51.100.7 05 443\r\n", PROXY_BAD, 0, "");
	text_is("PROXY TCP4 192.0.2.1 198.51.100.7 65536 443\r\n", PROXY_BAD, 0, "");
	text_is("PROXY TCP4 192.0.2.1 198.51.100.7 -1 443\r\n", PROXY_BAD, 0, "");
	text_is("PROXY TCP4 192.0.2.1 198.51.100.7 5000 443\rx", PROXY_BAD, 0, "");
	/* 107 bytes at most. */
	memset(line + strlen(line), 'x', 91);
	strcpy(line + 14 + 91, "\r\n");
	text_is(line, PROXY_WHOLE, 107, "");
	memset(line + 14 + 91, 'x', 1);
	strcpy(line + 14 + 92, "\r\n");
	text_is(line, PROXY_BAD, 0, "");
}

/* Of a header: each shorter piece wants more, and what follows is not looked at. */
static void in_pieces(const uint8_t *bytes, size_t len)
{
	uint8_t more[PROXY_PARSE_MAX + 8];
	struct proxy_said said;

	for (size_t i = 0; i < len; i++)
		assert_int_equal(parse(bytes, i, &said), PROXY_MORE);
	memcpy(more, bytes, len);
	memset(more + len, 0xff, 8);
	assert_int_equal(parse(more, len + 8, &said), PROXY_WHOLE);
	assert_int_equal(said.len, len);
}

static union addr at(const char *host, uint16_t port)
{
	union addr a;

	assert_int_equal(addr_parse_literal(host, port, &a), 0);
	return a;
}

/* What this program writes it also reads. */
static void test_own(void **state)
{
	static const uint8_t id[PROXY_ID_BYTES] = {7};
	static const char *const hosts[][2] = {{"192.0.2.1", "198.51.100.7"},
					       {"2001:db8::1", "::1"},
					       {"192.0.2.1", "::1"}};

	for (size_t i = 0; i < 3; i++) {
		union addr a = at(hosts[i][0], 5000), b = at(hosts[i][1], 443);

		for (int version = RULE_PROXY_V1; version <= RULE_PROXY_V2; version++) {
			uint8_t out[PROXY_HEADER_MAX];
			size_t len = proxy_header((enum rule_proxy)version, &a, &b, id, out);
			struct proxy_said said;

			in_pieces(out, len);
			assert_int_equal(parse(out, len, &said), PROXY_WHOLE);
			assert_int_equal(said.known, i < 2);
			assert_true(i == 2 ||
				    (addr_equal(&said.client, &a) && addr_equal(&said.local, &b)));
		}
	}
}

static void test_binary(void **state)
{
	uint8_t h[PROXY_PARSE_MAX + 1] =
		"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\1\2\3\4\5\6\7\x08\1\2\3\4";
	struct proxy_said said;

	in_pieces(h, 28);
	/* A version that nobody knows, a command that nobody knows, too short for its addresses. */
	h[12] = 0x31;
	assert_int_equal(parse(h, 28, &said), PROXY_BAD);
	assert_int_equal(parse(h, 13, &said), PROXY_BAD);
	h[12] = 0x22;
	assert_int_equal(parse(h, 28, &said), PROXY_BAD);
	h[12] = 0x21;
	h[15] = 11;
	assert_int_equal(parse(h, 27, &said), PROXY_BAD);
	h[13] = 0x21;
	h[15] = 35;
	assert_int_equal(parse(h, 51, &said), PROXY_BAD);
	/* Datagrams, UNIX sockets, LOCAL: taken, and they name nobody. */
	for (int i = 0; i < 4; i++) {
		h[12] = i == 3 ? 0x20 : 0x21;
		h[13] = (uint8_t[]){0x12, 0x31, 0x00, 0x11}[i];
		assert_int_equal(parse(h, 51, &said), PROXY_WHOLE);
		assert_false(said.known);
		assert_int_equal(said.len, 51);
	}
	/* Up to 536 bytes with what else it has. */
	h[12] = 0x21;
	h[13] = 0x11;
	h[14] = 2;
	h[15] = 8;
	assert_int_equal(parse(h, 535, &said), PROXY_MORE);
	assert_int_equal(parse(h, 536, &said), PROXY_WHOLE);
	assert_true(said.known);
	h[15] = 9;
	assert_int_equal(parse(h, 16, &said), PROXY_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_binary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
