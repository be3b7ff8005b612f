// SPDX-License-Identifier: MIT
/* The first message of TLS: whether bytes are one, and which server name it asks for. */
#include "edge/conn/client_hello.h"

#include <string.h>

/* RFC 8446, 5.1 and 4. */
#define RECORD_HANDSHAKE 22
#define RECORD_HEAD	 5
#define RECORD_MAX	 16384
#define CLIENT_HELLO	 1
#define MESSAGE_HEAD	 4

/* Extensions, RFC 6066 and RFC 7301. */
#define EXTENSION_SERVER_NAME 0
#define EXTENSION_ALPN	      16
#define NAME_HOST	      0

/* ---- records ---- */

/* What the records hold of the message so far. */
struct scan {
	size_t len, have; /* of the message, its head included; of these, present */
	unsigned records;
	uint8_t head[MESSAGE_HEAD];
};

/* The head of the next record; its first bytes say enough to refuse it. HELLO_WHOLE: it is there. */
static enum hello_verdict look_at_record(const uint8_t *p, size_t len, size_t *body)
{
	if (len > 0 && p[0] != RECORD_HANDSHAKE)
		return HELLO_NOT_TLS;
	if (len > 1 && p[1] != 3)
		return HELLO_NOT_TLS;
	if (len < RECORD_HEAD)
		return HELLO_MORE;
	*body = (size_t)p[3] << 8 | p[4];
	/* Handshake records are never empty. */
	return *body && *body <= RECORD_MAX ? HELLO_WHOLE : HELLO_MALFORMED;
}

/* Adds a record's body, as far as it has come. */
static enum hello_verdict add_body(struct scan *s, const uint8_t *body, size_t n)
{
	for (size_t i = 0; i < n && s->have + i < MESSAGE_HEAD; i++)
		s->head[s->have + i] = body[i];
	s->have += n;
	if (s->have && s->head[0] != CLIENT_HELLO)
		return HELLO_MALFORMED;
	if (s->have < MESSAGE_HEAD)
		return HELLO_MORE;
	s->len = MESSAGE_HEAD +
		 ((size_t)s->head[1] << 16 | (size_t)s->head[2] << 8 | (size_t)s->head[3]);
	if (s->len + RECORD_HEAD * s->records > HELLO_BYTES_MAX)
		return HELLO_TOO_LARGE;
	return s->have >= s->len ? HELLO_WHOLE : HELLO_MORE;
}

static enum hello_verdict scan_records(const uint8_t *bytes, size_t len, struct scan *s)
{
	enum hello_verdict v;
	size_t at = 0, body;

	memset(s, 0, sizeof(*s));
	while (s->records++ < HELLO_RECORDS_MAX) {
		size_t n;

		v = look_at_record(bytes + at, len - at, &body);
		if (v != HELLO_WHOLE)
			/* Behind a first record everything else is an error of TLS. */
			return v == HELLO_NOT_TLS && at ? HELLO_MALFORMED : v;
		at += RECORD_HEAD;
		n = body < len - at ? body : len - at;
		v = add_body(s, bytes + at, n);
		if (v != HELLO_MORE || n < body)
			return v;
		at += body;
	}
	return HELLO_TOO_LARGE;
}

/* Puts the message together that scan_records() has found whole. */
static void join(const uint8_t *bytes, size_t len, uint8_t *message)
{
	for (size_t have = 0; have < len;) {
		size_t n = (size_t)bytes[3] << 8 | bytes[4];

		if (n > len - have)
			n = len - have;
		memcpy(message + have, bytes + RECORD_HEAD, n);
		have += n;
		bytes += RECORD_HEAD + n;
	}
}

/* ---- the message ---- */

/* What is left of a structure. Reading behind its end makes it, and all that is read of it, empty. */
struct span {
	const uint8_t *p;
	size_t len;
	bool broken;
};

static struct span take(struct span *s, size_t len)
{
	struct span part = {s->p, len, s->broken};

	if (s->broken || len > s->len) {
		*s = part = (struct span){.broken = true};
		return part;
	}
	s->p += len;
	s->len -= len;
	return part;
}

static size_t take_number(struct span *s, unsigned bytes)
{
	struct span part = take(s, bytes);
	size_t n = 0;

	for (size_t i = 0; i < part.len; i++)
		n = n << 8 | part.p[i];
	return n;
}

/* A vector: its length in @bytes bytes, then so much. */
static struct span take_vector(struct span *s, unsigned bytes)
{
	size_t len = take_number(s, bytes);

	return take(s, len);
}

static char printable(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c > ' ' && c < 0x7f ? (char)c : '?';
}

static void set_name(struct client_hello *out, struct span name)
{
	out->has_name = true;
	if (name.p[name.len - 1] == '.')
		name.len--;
	if (name.len > HELLO_NAME_MAX)
		return;
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f) {
			out->name[0] = '\0';
			return;
		}
		out->name[i] = printable(name.p[i]);
	}
	out->name[name.len] = '\0';
}

/* The first host name of the list. */
static bool read_server_name(struct span extension, struct client_hello *out)
{
	struct span list = take_vector(&extension, 2);
	bool ok = list.len && !extension.len && !extension.broken && !out->has_name;

	while (ok && list.len) {
		size_t type = take_number(&list, 1);
		struct span name = take_vector(&list, 2);

		ok = !list.broken && name.len;
		if (ok && type == NAME_HOST && !out->has_name)
			set_name(out, name);
	}
	return ok;
}

static bool read_alpn(struct span extension, struct client_hello *out)
{
	struct span list = take_vector(&extension, 2);
	bool ok = list.len && !extension.len && !extension.broken;
	size_t n = 0;

	while (ok && list.len) {
		struct span name = take_vector(&list, 1);

		ok = !list.broken && name.len;
		if (!ok || n + name.len + 1 > HELLO_ALPN_MAX)
			continue;
		if (n)
			out->alpn[n++] = ',';
		for (size_t i = 0; i < name.len; i++)
			out->alpn[n++] = printable(name.p[i]);
		out->alpn[n] = '\0';
	}
	return ok;
}

static bool read_extensions(struct span list, struct client_hello *out)
{
	bool named = false;

	while (list.len) {
		size_t type = take_number(&list, 2);
		struct span extension = take_vector(&list, 2);

		if (list.broken)
			return false;
		/* No type comes twice; of this one it would leave open who is asked for. */
		if (type == EXTENSION_SERVER_NAME && (named || !read_server_name(extension, out)))
			return false;
		named |= type == EXTENSION_SERVER_NAME;
		if (type == EXTENSION_ALPN && !read_alpn(extension, out))
			return false;
	}
	return !list.broken;
}

/* RFC 8446, 4.1.2: without extensions a hello of TLS 1.2 ends behind its compression methods. */
static bool read_hello(struct span s, struct client_hello *out)
{
	struct span session, ciphers, compressions, extensions;

	memset(out, 0, sizeof(*out));
	take(&s, 2 + 32); /* version, random */
	session = take_vector(&s, 1);
	ciphers = take_vector(&s, 2);
	compressions = take_vector(&s, 1);
	if (s.broken || session.len > 32 || !ciphers.len || ciphers.len % 2 || !compressions.len)
		return false;
	if (!s.len)
		return true;
	extensions = take_vector(&s, 2);
	return !s.broken && !s.len && read_extensions(extensions, out);
}

static bool read_joined(const uint8_t *bytes, size_t len, struct client_hello *out)
{
	uint8_t message[HELLO_BYTES_MAX];

	join(bytes, len, message);
	return read_hello((struct span){message + MESSAGE_HEAD, len - MESSAGE_HEAD, false}, out);
}

enum hello_verdict client_hello_parse(const uint8_t *bytes, size_t len, struct client_hello *out)
{
	const uint8_t *body = bytes + RECORD_HEAD + MESSAGE_HEAD;
	enum hello_verdict v;
	struct scan s;
	bool ok;

	if (len > HELLO_BYTES_MAX)
		len = HELLO_BYTES_MAX;
	v = scan_records(bytes, len, &s);
	if (v == HELLO_MORE && len == HELLO_BYTES_MAX)
		return HELLO_TOO_LARGE;
	if (v != HELLO_WHOLE)
		return v;
	ok = s.records == 1 ? read_hello((struct span){body, s.len - MESSAGE_HEAD, false}, out)
			    : read_joined(bytes, s.len, out);
	return ok ? HELLO_WHOLE : HELLO_MALFORMED;
}

const char *hello_verdict_text(enum hello_verdict verdict)
{
	static const char *const texts[] = {
		[HELLO_MORE] = "cut off",	 [HELLO_WHOLE] = "whole",
		[HELLO_NOT_TLS] = "not TLS",	 [HELLO_MALFORMED] = "malformed",
		[HELLO_TOO_LARGE] = "too large",
	};

	return texts[verdict];
}
