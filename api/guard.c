// SPDX-License-Identifier: MIT
/* Header checks that evhttp leaves out. */
#include "api/guard.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include <event2/keyvalq_struct.h>

/* tchar of RFC 9110, 5.6.2 */
static bool is_token(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (!(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z') &&
		    !strchr("!#$%&'*+-.^_`|~", c))
			return false;
	}
	return true;
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
			return true;
	return false;
}

static bool all_digits(const char *s)
{
	return *s && strlen(s) <= 18 && strspn(s, "0123456789") == strlen(s);
}

const char *guard_headers(const struct evkeyvalq *headers, bool http_1_1)
{
	unsigned hosts = 0, lengths = 0, encodings = 0;
	const struct evkeyval *h;

	TAILQ_FOREACH(h, headers, next)
	{
		if (!is_token(h->key))
			return "a header name is not a token";
		if (has_control(h->value))
			return "a header value has a control byte";
		if (!strcasecmp(h->key, "Host")) {
			hosts++;
		} else if (!strcasecmp(h->key, "Content-Length")) {
			lengths++;
			if (!all_digits(h->value))
				return "Content-Length is not a number";
		} else if (!strcasecmp(h->key, "Transfer-Encoding")) {
			encodings++;
			if (strcasecmp(h->value, "chunked"))
				return "Transfer-Encoding is not 'chunked'";
		}
	}
	if (lengths > 1)
		return "more than one Content-Length";
	if (encodings > 1 || (encodings && lengths))
		return "the length of the body is in doubt";
	if (hosts > 1 || (http_1_1 && hosts == 0))
		return "exactly one Host header is needed";
	return NULL;
}
