/* SPDX-License-Identifier: MIT */
/* Reads the head of a request: line, fields, and what they say about its body. */
#ifndef PORTUNUS_API_HTTP_HEAD_H
#define PORTUNUS_API_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The head of a request, read by one strict reader (RFC 9112). What another reader on the way, a
 * proxy, could understand differently is refused and never repaired: a body where none belongs, a
 * length that is doubled, signed or beside a transfer coding, a coding other than one plain
 * `chunked`, line ends other than CRLF, folded lines, control bytes. No state, no memory of its own.
 */
#define HTTP_HEAD_MAX	(16 << 10)
#define HTTP_FIELDS_MAX 100

struct http_field {
	const char *name, *value;
};

enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED };

struct http_head {
	const char *method;
	const char *target; /* path and query: what follows the authority in the absolute form */
	bool http_1_0, keep_alive, expects_continue;
	enum http_framing framing;
	uint64_t length; /* of HTTP_LENGTH */
	unsigned n_fields;
	struct http_field fields[HTTP_FIELDS_MAX];
};

/* Why a request is refused; the connection then closes. Static. */
struct http_wrong {
	int status;
	const char *code, *message;
};

/*
 * Looks for the empty line that ends a head in @len bytes, of which the first *scanned have been
 * looked at before. Returns the length of the head with that line; 0: more is needed; -1: *wrong
 * says why no more is wanted.
 */
long http_head_end(const char *data, size_t len, size_t *scanned, const struct http_wrong **wrong);

/*
 * Reads a whole head. Cuts @text, which the fields of @out point into, with NULs; @text[@len] has to
 * be writable. NULL, or what is wrong.
 */
const struct http_wrong *http_head_parse(char *text, size_t len, struct http_head *out);

/* The value of the first field of that name, or NULL. Names are compared without regard to case. */
const char *http_head_field(const struct http_head *head, const char *name);
/* The values of all of them, in their order: how many. */
unsigned http_head_fields(const struct http_head *head, const char *name,
			  const char *values[HTTP_FIELDS_MAX]);

/* Whether @line, of a trailer, is a field that may stand there. */
bool http_trailer_ok(const char *line, size_t len);
/* tchar of RFC 9110, 5.6.2 */
bool http_is_tchar(unsigned char c);

#endif
