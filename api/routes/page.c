// SPDX-License-Identifier: MIT
/* What a browser gets outside of /v1: the web page and its files. */
#include "api/routes/page.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>

#include "api/call/call.h"
#include "api/call/etag.h"
#include "api/routes/assets.h"

/* No script or style but our own files, no framing, no request to anywhere else. */
#define POLICY                                                                      \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " \
	"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

static const char without_page[] =
	"Portunus " PORTUNUS_VERSION "\n\n"
	"This server was built without its web page. The API is under /v1, for example:\n\n"
	"  curl -H \"Authorization: Bearer $PORTUNUS_OPERATOR_TOKEN\" http://HOST:PORT/v1/rules\n\n"
	"and `portunus-server --help` lists the commands that use it.\n";

/* The page's own paths. Each gets the same document, which reads the path. */
static const char *const pages[] = {
	"/",	  "/index.html", "/login",  "/rules", "/rules/*", "/rules/*/edit",
	"/edges", "/clients",	 "/tokens", "/audit",
};

static bool wants_html(struct call *c)
{
	const char *accept = call_header(c, "Accept");

	return accept && strstr(accept, "text/html");
}

static bool is_page_path(struct call *c)
{
	/* Figures have a listener of their own: who scrapes the wrong one must not get a page. */
	if (!strcmp(c->path, "/metrics"))
		return wants_html(c);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (!fnmatch(pages[i], c->path, FNM_PATHNAME))
			return true;
	return false;
}

static const struct asset *asset_of(const char *path)
{
	for (size_t i = 0; i < n_assets; i++)
		if (!strcmp(assets[i].path, path))
			return &assets[i];
	return NULL;
}

/*
 * The document for a path of so many segments: its links are relative, so that they hold below any
 * base path. NULL: none is made for so deep a path.
 */
static const struct asset *document_for(const char *path)
{
	char name[] = "index-0.html";
	size_t depth = 0;

	for (path++; (path = strchr(path, '/')); path++)
		depth++;
	if (depth > 9)
		return NULL;
	name[strlen("index-")] += (char)depth;
	return asset_of(name);
}

static bool takes_gzip(struct call *c)
{
	const char *accept = call_header(c, "Accept-Encoding");
	const char *gzip = accept ? strstr(accept, "gzip") : NULL;

	return gzip && strncmp(gzip, "gzip;q=0", 8);
}

static void add_security_headers(struct call *c)
{
	call_add_header(c, "Content-Security-Policy", "%s", POLICY);
	call_add_header(c, "X-Frame-Options", "DENY");
	call_add_header(c, "X-Content-Type-Options", "nosniff");
	call_add_header(c, "Referrer-Policy", "same-origin");
}

static void send_text(struct call *c, int status, const char *type, const char *data, size_t len)
{
	struct evbuffer *out = evbuffer_new();

	if (out && evbuffer_add_reference(out, data, len, NULL, NULL)) {
		evbuffer_free(out);
		out = NULL;
	}
	call_buffer(c, status, type, out);
}

static void send_asset(struct call *c, int status, const struct asset *a, bool hashed)
{
	const char *known = call_header(c, "If-None-Match");
	bool gzip = takes_gzip(c);
	char etag[ETAG_SIZE];

	add_security_headers(c);
	call_add_header(c, "Cache-Control", "%s",
			hashed ? "public, max-age=31536000, immutable"
			       : "public, max-age=0, must-revalidate");
	call_add_header(c, "Vary", "Accept-Encoding");
	/* The two encodings are two representations (RFC 9110, 8.8.3.3). */
	snprintf(etag, sizeof(etag), "\"%s%s\"", a->etag, gzip ? "-gz" : "");
	call_add_header(c, "ETag", "%s", etag);
	if (status == 200 && etag_matches(known, etag)) {
		call_empty(c, 304);
		return;
	}
	if (gzip)
		call_add_header(c, "Content-Encoding", "gzip");
	send_text(c, status, a->type, gzip ? a->gzip : a->plain, gzip ? a->gzip_len : a->plain_len);
}

void page_get(struct call *c)
{
	bool page = is_page_path(c);
	const struct asset *a = page ? document_for(c->path) : asset_of(c->path);
	int status = 200;

	/* In the address bar of a browser: the page itself says that there is nothing. */
	if (!a && !page && c->method == METHOD_GET && wants_html(c)) {
		a = document_for(c->path);
		status = 404;
	}
	if (!a && (!page || n_assets)) {
		call_error(c, 404, "not_found", "there is nothing here; the API is under /v1");
	} else if (c->method != METHOD_GET) {
		call_add_header(c, "Allow", "GET");
		call_error(c, 405, "method_not_allowed", "this path takes GET");
	} else if (a) {
		send_asset(c, status, a, a->path[0] == '/');
	} else {
		add_security_headers(c);
		send_text(c, 200, "text/plain; charset=utf-8", without_page,
			  sizeof(without_page) - 1);
	}
}
