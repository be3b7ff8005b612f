// SPDX-License-Identifier: MIT
/* Writes the heads of answers. */
#include "api/http/answer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <event2/buffer.h>

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{304, "Not Modified"},
		{308, "Permanent Redirect"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{417, "Expectation Failed"},
		{422, "Unprocessable Content"},
		{426, "Upgrade Required"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{507, "Insufficient Storage"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Error";
}

/* A value's line ends would begin fields of their own. */
static void add_field(struct evbuffer *out, const struct http_field *f)
{
	if (!strpbrk(f->value, "\r\n"))
		evbuffer_add_printf(out, "%s: %s\r\n", f->name, f->value);
}

void http_write_start(struct evbuffer *out, const struct http_start *s)
{
	time_t now = time(NULL);
	char date[40];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", s->status, reason_of(s->status),
			    date);
	for (size_t i = 0; i < s->n_fields; i++)
		add_field(out, &s->fields[i]);
	if (s->kind == HTTP_COUNTED)
		evbuffer_add_printf(out, "Content-Length: %zu\r\n", s->length);
	else if (s->kind == HTTP_CHUNKED_LENGTH)
		evbuffer_add_printf(out, "Transfer-Encoding: chunked\r\n");
	if (s->close)
		evbuffer_add_printf(out, "Connection: close\r\n");
	else if (s->http_1_0)
		evbuffer_add_printf(out, "Connection: keep-alive\r\n");
	evbuffer_add(out, "\r\n", 2);
}

void http_write_wrong(struct evbuffer *out, const struct http_wrong *wrong)
{
	const struct http_field fields[] = {{"Content-Type", "application/json"},
					    {"Cache-Control", "no-store"},
					    {"X-Content-Type-Options", "nosniff"},
					    {"Retry-After", "1"}};
	char body[256];
	int n = snprintf(body, sizeof(body), "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}",
			 wrong->code, wrong->message);

	http_write_start(out, &(struct http_start){.status = wrong->status,
						   .close = true,
						   .fields = fields,
						   .n_fields = wrong->status == 503 ? 4 : 3,
						   .kind = HTTP_COUNTED,
						   .length = (size_t)n});
	evbuffer_add(out, body, (size_t)n);
}
