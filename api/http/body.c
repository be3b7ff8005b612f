// SPDX-License-Identifier: MIT
/* Reads the body of a request: counted or in chunks. */
#include "api/http/body.h"

#include <string.h>

#include <event2/buffer.h>

static const struct http_wrong too_large = {413, "body_too_large", "at most 262144 bytes"};
static const struct http_wrong too_large_for_strangers = {
	413, "body_too_large", "at most 4096 bytes without a credential"};
static const struct http_wrong bad_size = {400, "bad_request",
					   "a chunk's size has to be a plain hexadecimal number"};
static const struct http_wrong bad_end = {400, "bad_request", "a chunk ends in CR LF"};
static const struct http_wrong bad_trailer = {400, "bad_request",
					      "the trailer behind the chunks is not understood"};
static const struct http_wrong bad_extra = {400, "bad_request",
					    "too many chunk extensions or trailers"};

static const struct http_wrong *above_max(const struct http_body *b)
{
	return b->max == HTTP_BODY_SMALL ? &too_large_for_strangers : &too_large;
}

const struct http_wrong *http_body_begin(struct http_body *b, const struct http_head *head,
					 struct evbuffer *data, bool small)
{
	*b = (struct http_body){.at = head->framing == HTTP_CHUNKED ? CHUNK_LINE : BODY_SIZED,
				.left = head->length,
				.max = small ? HTTP_BODY_SMALL : HTTP_BODY_MAX,
				.data = data};
	return head->length > b->max ? above_max(b) : NULL;
}

/* The length of the quoted string at the head of @n bytes, 0 where there is none. */
static size_t quoted_len(const char *s, size_t n)
{
	size_t i = 1;

	if (n < 2 || s[0] != '"')
		return 0;
	for (; i < n && s[i] != '"'; i++)
		if ((s[i] == '\\' && ++i == n) || ((unsigned char)s[i] < 0x20 && s[i] != '\t') ||
		    s[i] == 0x7f)
			return 0;
	return i < n ? i + 1 : 0;
}

static size_t token_len(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && http_is_tchar((unsigned char)s[i]))
		i++;
	return i;
}

/* *( ";" name [ "=" value ] ), without the bad whitespace that RFC 9112, 7.1.1 lets recipients see. */
static bool extensions_ok(const char *s, size_t n)
{
	while (n > 0) {
		size_t len;

		if (*s != ';')
			return false;
		s++, n--;
		len = token_len(s, n);
		if (len == 0)
			return false;
		s += len, n -= len;
		if (n == 0 || *s != '=')
			continue;
		s++, n--;
		len = n && *s == '"' ? quoted_len(s, n) : token_len(s, n);
		if (len == 0)
			return false;
		s += len, n -= len;
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const struct http_wrong *chunk_line(struct http_body *b, const char *line, size_t n)
{
	size_t digits = 0;

	b->left = 0;
	for (; digits < n && hex_digit(line[digits]) >= 0; digits++) {
		if (digits == 8)
			return above_max(b);
		b->left = b->left * 16 + (uint64_t)hex_digit(line[digits]);
	}
	if (digits == 0 || !extensions_ok(line + digits, n - digits))
		return &bad_size;
	b->extra += n - digits;
	if (b->left + evbuffer_get_length(b->data) > b->max)
		return above_max(b);
	b->at = b->left ? CHUNK_DATA : CHUNK_TRAILER;
	return b->extra > HTTP_CHUNK_EXTRA ? &bad_extra : NULL;
}

static const struct http_wrong *trailer_line(struct http_body *b, const char *line, size_t n)
{
	b->extra += n;
	if (n == 0)
		b->at = BODY_DONE;
	else if (!http_trailer_ok(line, n))
		return &bad_trailer;
	return b->extra > HTTP_CHUNK_EXTRA ? &bad_extra : NULL;
}

/* Reads one line of the framing: 1, 0 for an incomplete one, -1. */
static int read_line(struct http_body *b, struct evbuffer *in, const struct http_wrong **wrong)
{
	struct evbuffer_ptr lf = evbuffer_search(in, "\n", 1, NULL);
	const struct http_wrong *line_wrong = b->at == CHUNK_LINE ? &bad_size : &bad_trailer;
	size_t n = lf.pos < 0 ? evbuffer_get_length(in) : (size_t)lf.pos + 1;
	const char *line;

	if (n > HTTP_CHUNK_LINE) {
		*wrong = line_wrong;
		return -1;
	}
	if (lf.pos < 0)
		return 0;
	line = (const char *)evbuffer_pullup(in, (ev_ssize_t)n);
	if (n < 2 || line[n - 2] != '\r' || memchr(line, '\r', n - 2))
		*wrong = line_wrong;
	else
		*wrong = b->at == CHUNK_LINE ? chunk_line(b, line, n - 2)
					     : trailer_line(b, line, n - 2);
	evbuffer_drain(in, n);
	return *wrong ? -1 : 1;
}

static int read_data(struct http_body *b, struct evbuffer *in)
{
	size_t n = evbuffer_get_length(in);

	if (n > b->left)
		n = b->left;
	evbuffer_remove_buffer(in, b->data, n);
	b->left -= n;
	if (b->left)
		return 0;
	b->at = b->at == BODY_SIZED ? BODY_DONE : CHUNK_END;
	return 1;
}

static int read_chunk_end(struct http_body *b, struct evbuffer *in, const struct http_wrong **wrong)
{
	char end[2];

	if (evbuffer_copyout(in, end, 2) < 2)
		return 0;
	if (memcmp(end, "\r\n", 2)) {
		*wrong = &bad_end;
		return -1;
	}
	evbuffer_drain(in, 2);
	b->at = CHUNK_LINE;
	return 1;
}

int http_body_read(struct http_body *b, struct evbuffer *in, const struct http_wrong **wrong)
{
	int more = 1;

	while (more > 0 && b->at != BODY_DONE) {
		if (b->at == CHUNK_LINE || b->at == CHUNK_TRAILER)
			more = read_line(b, in, wrong);
		else if (b->at == CHUNK_END)
			more = read_chunk_end(b, in, wrong);
		else
			more = read_data(b, in);
	}
	return more;
}
