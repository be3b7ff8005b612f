// SPDX-License-Identifier: MIT
/* Reads the head of a request: line, fields, and what they say about its body. */
#include "api/http/head.h"

#include <string.h>
#include <strings.h>

#define WRONG(name, text) static const struct http_wrong name = {400, "bad_request", text}

WRONG(bad_control, "a control byte stands in the request's head");
WRONG(bad_line_end, "the lines of a request end in CR LF");
WRONG(bad_line, "the first line is no request line");
WRONG(bad_version, "the version of HTTP is none that the server speaks");
WRONG(bad_target, "the target is no path");
WRONG(bad_field, "a header line is not 'name: value'");
WRONG(bad_fold, "a header line is folded");
WRONG(bad_host, "exactly one Host header is needed, and it names one host");
WRONG(bad_length, "Content-Length has to be one plain number");
WRONG(bad_coding, "Transfer-Encoding has to be one plain 'chunked'");
WRONG(bad_framing, "the length of the body is in doubt");
WRONG(bad_body, "a body does not belong to this method");
WRONG(bad_connect, "the server is no proxy");
static const struct http_wrong too_long = {431, "headers_too_large",
					   "at most 16384 bytes of headers"};
static const struct http_wrong bad_expect = {417, "bad_request",
					     "the server knows no expectation but 100-continue"};

bool http_is_tchar(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t token_len(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && http_is_tchar((unsigned char)s[i]))
		i++;
	return i;
}

long http_head_end(const char *data, size_t len, size_t *scanned, const struct http_wrong **wrong)
{
	for (size_t i = *scanned; i < len; i++) {
		unsigned char c = (unsigned char)data[i];

		*scanned = i + 1;
		if (i >= HTTP_HEAD_MAX) {
			*wrong = &too_long;
			return -1;
		}
		/* Also the first byte of a TLS handshake, which is answered at once in this way. */
		if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f) {
			*wrong = &bad_control;
			return -1;
		}
		if ((c == '\n') != (i > 0 && data[i - 1] == '\r')) {
			*wrong = &bad_line_end;
			return -1;
		}
		if (c == '\n' && i >= 3 && data[i - 2] == '\n')
			return (long)i + 1;
	}
	return 0;
}

/* "GET", "HEAD" and every method that is not known have no body. */
static bool takes_body(const char *method)
{
	static const char *const with[] = {"POST", "PUT", "PATCH", "DELETE"};

	for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++)
		if (!strcmp(method, with[i]))
			return true;
	return false;
}

/* Cuts off the next line. NULL: @line begins with CR LF, the end. */
static char *cut_line(char *line)
{
	char *end = strstr(line, "\r\n");

	if (!end || end == line)
		return NULL;
	*end = '\0';
	return end + 2;
}

/*
 * The path of the target's origin form, or of the absolute form (RFC 9112, 3.2); "*" is OPTIONS'.
 * *authority gets what an absolute form names, of *len bytes.
 */
static const char *path_of(const char *target, const char **authority, size_t *len)
{
	size_t scheme;

	if (*target == '/' || !strcmp(target, "*"))
		return target;
	scheme = !strncasecmp(target, "http://", 7)    ? 7
		 : !strncasecmp(target, "https://", 8) ? 8
						       : 0;
	if (!scheme)
		return NULL;
	*authority = target + scheme;
	*len = strcspn(*authority, "/?");
	if (*len == 0 || (*authority)[*len] == '?')
		return NULL;
	return (*authority)[*len] ? *authority + *len : "/";
}

/* "METHOD SP target SP HTTP/1.x" */
static const struct http_wrong *read_line(char *line, struct http_head *out)
{
	size_t n = token_len(line, strlen(line));
	char *target = line + n + 1, *version;

	if (n == 0 || line[n] != ' ')
		return &bad_line;
	line[n] = '\0';
	n = strcspn(target, " \t");
	if (n == 0 || target[n] != ' ')
		return &bad_line;
	target[n] = '\0';
	version = target + n + 1;
	if (strncmp(version, "HTTP/1.", 7) || version[7] < '0' || version[7] > '9' || version[8])
		return strncmp(version, "HTTP/", 5) ? &bad_line : &bad_version;
	out->http_1_0 = version[7] == '0';
	out->keep_alive = !out->http_1_0;
	out->method = line;
	out->target = target;
	if (!strcmp(line, "CONNECT"))
		return &bad_connect;
	return strchr(target, '#') ? &bad_target : NULL;
}

static const struct http_wrong *read_field(char *line, struct http_head *out)
{
	size_t n = token_len(line, strlen(line));
	char *value = line + n + 1, *end;

	if (*line == ' ' || *line == '\t')
		return &bad_fold;
	if (n == 0 || line[n] != ':')
		return &bad_field;
	if (out->n_fields == HTTP_FIELDS_MAX)
		return &too_long;
	line[n] = '\0';
	value += strspn(value, " \t");
	end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	out->fields[out->n_fields++] = (struct http_field){line, value};
	return NULL;
}

/* "close" and "keep-alive" among the tokens of Connection. */
static void read_connection(const char *value, struct http_head *out)
{
	while (*value) {
		size_t n;

		value += strspn(value, " \t,");
		n = strcspn(value, " \t,");
		if (n == 5 && !strncasecmp(value, "close", n))
			out->keep_alive = false;
		else if (n == 10 && out->http_1_0 && !strncasecmp(value, "keep-alive", n))
			out->keep_alive = true;
		value += n;
	}
}

static const struct http_wrong *read_length(const char *value, struct http_head *out)
{
	size_t n = strlen(value);

	if (n == 0 || n > 18 || strspn(value, "0123456789") != n)
		return &bad_length;
	for (out->length = 0; *value; value++)
		out->length = out->length * 10 + (uint64_t)(*value - '0');
	return NULL;
}

/* What the fields say together. */
struct counts {
	unsigned hosts, lengths, codings;
	const char *host;
};

static const struct http_wrong *weigh_field(const struct http_field *f, struct http_head *out,
					    struct counts *n)
{
	if (!strcasecmp(f->name, "Host")) {
		n->hosts++;
		n->host = f->value;
		return strpbrk(f->value, " \t,/?#@\\") ? &bad_host : NULL;
	}
	if (!strcasecmp(f->name, "Content-Length")) {
		n->lengths++;
		return read_length(f->value, out);
	}
	if (!strcasecmp(f->name, "Transfer-Encoding")) {
		n->codings++;
		return strcasecmp(f->value, "chunked") ? &bad_coding : NULL;
	}
	if (!strcasecmp(f->name, "Connection"))
		read_connection(f->value, out);
	if (!strcasecmp(f->name, "Expect") && !out->http_1_0) {
		if (strcasecmp(f->value, "100-continue"))
			return &bad_expect;
		out->expects_continue = true;
	}
	return NULL;
}

static const struct http_wrong *weigh(struct http_head *out)
{
	const char *authority = NULL, *path;
	struct counts n = {0};
	size_t len = 0;

	for (unsigned i = 0; i < out->n_fields; i++) {
		const struct http_wrong *wrong = weigh_field(&out->fields[i], out, &n);

		if (wrong)
			return wrong;
	}
	if (n.lengths > 1)
		return &bad_length;
	if (n.codings > 1 || (n.codings && (n.lengths || out->http_1_0)))
		return &bad_framing;
	if (n.hosts > 1 || (!out->http_1_0 && n.hosts == 0))
		return &bad_host;
	path = path_of(out->target, &authority, &len);
	if (!path || (*path == '*' && strcmp(out->method, "OPTIONS")))
		return &bad_target;
	/* Host says the same as an absolute target (RFC 9112, 3.2.2), or two readers differ. */
	if (authority && n.host && (strncasecmp(authority, n.host, len) || n.host[len]))
		return &bad_host;
	out->target = path;
	if (!takes_body(out->method) && (n.codings || out->length))
		return &bad_body;
	out->framing = n.codings ? HTTP_CHUNKED : out->length ? HTTP_LENGTH : HTTP_NO_BODY;
	return NULL;
}

const struct http_wrong *http_head_parse(char *text, size_t len, struct http_head *out)
{
	const struct http_wrong *wrong;
	char *line = text, *next;

	memset(out, 0, offsetof(struct http_head, fields));
	text[len] = '\0';
	if (strlen(text) != len)
		return &bad_control;
	next = cut_line(line);
	wrong = next ? read_line(line, out) : &bad_line;
	while (!wrong && (line = next) && (next = cut_line(line)))
		wrong = read_field(line, out);
	return wrong ? wrong : weigh(out);
}

const char *http_head_field(const struct http_head *head, const char *name)
{
	for (unsigned i = 0; i < head->n_fields; i++)
		if (!strcasecmp(head->fields[i].name, name))
			return head->fields[i].value;
	return NULL;
}

unsigned http_head_fields(const struct http_head *head, const char *name,
			  const char *values[HTTP_FIELDS_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < head->n_fields; i++)
		if (!strcasecmp(head->fields[i].name, name))
			values[n++] = head->fields[i].value;
	return n;
}

bool http_trailer_ok(const char *line, size_t len)
{
	/* What frames or routes a message must not come after it (RFC 9110, 6.5.1). */
	static const char *const never[] = {"Content-Length", "Transfer-Encoding",
					    "Host",	      "Authorization",
					    "Cookie",	      "Trailer"};
	size_t n = token_len(line, len);

	if (n == 0 || n == len || line[n] != ':')
		return false;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (strlen(never[i]) == n && !strncasecmp(line, never[i], n))
			return false;
	for (size_t i = n; i < len; i++)
		if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
			return false;
	return true;
}
