// SPDX-License-Identifier: MIT
/* Requests to the API over HTTP, with libcurl. */
#include "cli/http.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "lib/base/addr.h"
#include "lib/base/hex.h"
#include "lib/base/utf8.h"
#include "lib/tls/tls.h"

#define CONNECT_SECS 2
#define SILENT_SECS  60 /* of a stream that sends something every few seconds */
#define BODY_MAX     (256u << 20)
#define TOKEN_MAX    256

struct received {
	char *data;
	size_t len;
};

static size_t receive(char *data, size_t size, size_t n, void *arg)
{
	struct received *r = arg;
	char *more;

	n *= size;
	if (r->len + n > BODY_MAX)
		return 0;
	more = realloc(r->data, r->len + n + 1);
	if (!more)
		return 0;
	r->data = more;
	memcpy(r->data + r->len, data, n);
	r->len += n;
	r->data[r->len] = '\0';
	return n;
}

/* Keeps the entity tag. */
static size_t receive_header(char *line, size_t size, size_t n, void *arg)
{
	static const char name[] = "etag:";
	struct cli_reply *reply = arg;
	size_t len = sizeof(name) - 1;

	n *= size;
	if (n <= len || strncasecmp(line, name, len))
		return n;
	while (len < n && line[len] == ' ')
		len++;
	snprintf(reply->etag, sizeof(reply->etag), "%.*s", (int)strcspn(line + len, "\r\n"),
		 line + len);
	return n;
}

char *url_with(const char *before, const char *text, const char *after)
{
	char *encoded = curl_easy_escape(NULL, text, 0), *path;

	if (!encoded || asprintf(&path, "%s%s%s", before, encoded, after) < 0)
		path = NULL;
	curl_free(encoded);
	return path;
}

/* ---- where ---- */

/* Whether HOST[:PORT][/BASE] can only be this host. */
static bool is_loopback(const char *endpoint)
{
	size_t n = *endpoint == '[' ? strcspn(endpoint, "]") + 1 : strcspn(endpoint, ":/");
	char host[64];
	union addr a;

	if (n >= sizeof(host) || n > strlen(endpoint))
		return false;
	memcpy(host, endpoint, n);
	host[n] = '\0';
	return !strcasecmp(host, "localhost") ||
	       (!addr_parse_literal(host, 0, &a) && addr_is_loopback(&a));
}

/* A token does not go unencrypted over a network unless the operator wrote http:// for it. */
static char *url_of(const char *endpoint, const char *target)
{
	const char *scheme = "";
	size_t n = strlen(endpoint);
	char *url;

	while (n > 0 && endpoint[n - 1] == '/')
		n--;
	if (!strstr(endpoint, "://"))
		scheme = is_loopback(endpoint) ? "http://" : "https://";
	return asprintf(&url, "%s%.*s%s", scheme, (int)n, endpoint, target) < 0 ? NULL : url;
}

/* ---- whom ---- */

struct handle {
	CURL *h;
	char *url;
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
	struct tls_pin pin;
};

static int check_pin(X509_STORE_CTX *store, void *arg)
{
	struct handle *handle = arg;
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	struct tls_pin *pin = &handle->pin;
	unsigned int len = 0;

	/* EVP_sha256() gives TLS_PIN_SIZE bytes. */
	if (leaf && X509_digest(leaf, EVP_sha256(), pin->seen, &len) &&
	    !CRYPTO_memcmp(pin->seen, pin->want, TLS_PIN_SIZE))
		return 1;
	handle->pin.mismatch = true;
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return 0;
}

static CURLcode use_pin(CURL *h, void *ctx, void *arg)
{
	SSL_CTX_set_cert_verify_callback(ctx, check_pin, arg);
	return CURLE_OK;
}

static bool read_pin(const char *text, uint8_t pin[TLS_PIN_SIZE])
{
	return !strncmp(text, "sha256:", 7) && strlen(text + 7) == 2 * TLS_PIN_SIZE &&
	       !hex_read(text + 7, pin, TLS_PIN_SIZE);
}

static int set_trust(struct handle *c, const struct http_place *place, struct cli_reply *reply)
{
	const char *cacert = place->cacert ? place->cacert : getenv("SSL_CERT_FILE");

	if (place->pin) {
		if (!read_pin(place->pin, c->pin.want)) {
			snprintf(reply->why, sizeof(reply->why),
				 "--insecure-pin takes sha256: and 64 hexadecimal digits, as "
				 "`openssl x509 -in CERT -outform der | sha256sum` prints them");
			return -EINVAL;
		}
		curl_easy_setopt(c->h, CURLOPT_SSL_VERIFYHOST, 0L);
		curl_easy_setopt(c->h, CURLOPT_SSL_CTX_FUNCTION, use_pin);
		curl_easy_setopt(c->h, CURLOPT_SSL_CTX_DATA, c);
	} else if (cacert && *cacert) {
		curl_easy_setopt(c->h, CURLOPT_CAINFO, cacert);
	}
	return 0;
}

static void handle_end(struct handle *c)
{
	curl_easy_cleanup(c->h);
	curl_slist_free_all(c->headers);
	free(c->url);
}

/* A token that would end the header's line, or is longer than any, is a mistake in the environment. */
static int check_token(const char *token, struct cli_reply *reply)
{
	if (!token || (strlen(token) <= TOKEN_MAX && !token[strcspn(token, "\r\n")]))
		return 0;
	snprintf(reply->why, sizeof(reply->why),
		 "PORTUNUS_OPERATOR_TOKEN is no token: it has more than %d bytes or a line's end",
		 TOKEN_MAX);
	return -EINVAL;
}

static int handle_begin(struct handle *c, const struct http_place *place,
			const struct http_request *r, struct cli_reply *reply)
{
	char line[512];

	if (check_token(place->token, reply))
		return -EINVAL;
	*c = (struct handle){.h = curl_easy_init(), .url = url_of(place->endpoint, r->target)};
	if (place->token) {
		snprintf(line, sizeof(line), "Authorization: Bearer %s", place->token);
		c->headers = curl_slist_append(c->headers, line);
	}
	if (r->body)
		c->headers = curl_slist_append(c->headers, "Content-Type: application/json");
	if (r->if_match) {
		snprintf(line, sizeof(line), "If-Match: %s", r->if_match);
		c->headers = curl_slist_append(c->headers, line);
	}
	c->headers = curl_slist_append(c->headers, "Expect:");
	if (!c->h || !c->url || !c->headers) {
		handle_end(c);
		return -ENOMEM;
	}
	curl_easy_setopt(c->h, CURLOPT_URL, c->url);
	curl_easy_setopt(c->h, CURLOPT_CUSTOMREQUEST, r->method);
	curl_easy_setopt(c->h, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(c->h, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECS);
	curl_easy_setopt(c->h, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(c->h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->h, CURLOPT_NOPROXY, "*"); /* the token is for this server only */
	curl_easy_setopt(c->h, CURLOPT_PROTOCOLS_STR, "http,https");
	if (r->body)
		curl_easy_setopt(c->h, CURLOPT_POSTFIELDS, r->body);
	if (set_trust(c, place, reply)) {
		handle_end(c);
		return -EINVAL;
	}
	return 0;
}

/* ---- what went wrong ---- */

/* What an operator does about it; "" where libcurl's words are enough. */
static const char *advice(const struct handle *c, CURLcode rc)
{
	const bool tls = !strncmp(c->url, "https:", 6);

	switch (rc) {
	case CURLE_SSL_CONNECT_ERROR:
		if (tls && (strstr(c->error, "wrong version number") ||
			    strstr(c->error, "unexpected eof") || strstr(c->error, "SYSCALL")))
			return ": this port seems to speak plain HTTP; write http:// before it";
		return "";
	case CURLE_PEER_FAILED_VERIFICATION:
		return ": name the certificate's issuer with --cacert FILE, or the certificate "
		       "with --insecure-pin sha256:…";
	case CURLE_SSL_CACERT_BADFILE:
		return ": see --cacert and SSL_CERT_FILE";
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_UNSUPPORTED_PROTOCOL: /* "HTTP/0.9": a TLS alert */
	case CURLE_WEIRD_SERVER_REPLY:
		return tls ? "" : ": this port may want HTTPS; write https:// before it";
	case CURLE_COULDNT_CONNECT:
		return ": no server there; name the right one with --http-endpoint or "
		       "PORTUNUS_HTTP_ENDPOINT";
	default:
		return "";
	}
}

static int explain(const struct handle *c, const struct http_place *place, CURLcode rc,
		   struct cli_reply *reply)
{
	char fingerprints[256];

	if (c->pin.mismatch) {
		tls_pin_explain(&c->pin, fingerprints, sizeof(fingerprints));
		utf8_format(reply->why, sizeof(reply->why), "%s: %s", place->endpoint,
			    fingerprints);
		return -EIO;
	}
	utf8_format(reply->why, sizeof(reply->why), "%s: %s%s", place->endpoint,
		    c->error[0] ? c->error : curl_easy_strerror(rc), advice(c, rc));
	return -EIO;
}

int http_call(const struct http_place *place, const struct http_request *request,
	      struct cli_reply *reply)
{
	struct received got = {.data = NULL};
	struct handle c;
	CURLcode rc;
	long status = 0;
	int err = handle_begin(&c, place, request, reply);

	if (err)
		return err;
	curl_easy_setopt(c.h, CURLOPT_TIMEOUT, request->seconds);
	curl_easy_setopt(c.h, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(c.h, CURLOPT_WRITEDATA, &got);
	reply->etag[0] = '\0';
	curl_easy_setopt(c.h, CURLOPT_HEADERFUNCTION, receive_header);
	curl_easy_setopt(c.h, CURLOPT_HEADERDATA, reply);
	rc = curl_easy_perform(c.h);
	curl_easy_getinfo(c.h, CURLINFO_RESPONSE_CODE, &status);
	if (rc)
		err = explain(&c, place, rc, reply);
	handle_end(&c);
	if (rc) {
		free(got.data);
		return err;
	}
	reply->status = (int)status;
	reply->body = got.data ? got.data : strdup("");
	return reply->body ? 0 : -ENOMEM;
}

/* ---- streams ---- */

struct follow {
	CURL *h;
	struct received line; /* of the stream, not yet complete; or the body of an error */
	int (*event)(void *arg, const char *data);
	void *arg;
	bool stopped;
};

static int take_line(struct follow *f, char *line)
{
	if (!strncmp(line, "data:", 5))
		return f->event(f->arg, line + 5 + (line[5] == ' '));
	return 0;
}

static size_t follow_data(char *data, size_t size, size_t n, void *arg)
{
	struct follow *f = arg;
	long status = 0;
	char *end;

	n *= size;
	if (receive(data, 1, n, &f->line) != n)
		return 0;
	curl_easy_getinfo(f->h, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return n;
	while ((end = memchr(f->line.data, '\n', f->line.len))) {
		size_t used = (size_t)(end - f->line.data) + 1;

		*end = '\0';
		if (take_line(f, f->line.data)) {
			f->stopped = true;
			return 0;
		}
		f->line.len -= used;
		memmove(f->line.data, end + 1, f->line.len);
	}
	return n;
}

int http_follow(const struct http_place *place, const char *target,
		int (*event)(void *arg, const char *data), void *arg, struct cli_reply *reply)
{
	const struct http_request request = {.method = "GET", .target = target};
	struct follow f = {.event = event, .arg = arg};
	struct handle c;
	CURLcode rc;
	long status = 0;
	int err = handle_begin(&c, place, &request, reply);

	if (err)
		return err;
	f.h = c.h;
	curl_easy_setopt(c.h, CURLOPT_WRITEFUNCTION, follow_data);
	curl_easy_setopt(c.h, CURLOPT_WRITEDATA, &f);
	/* A server that vanished without a word. */
	curl_easy_setopt(c.h, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c.h, CURLOPT_LOW_SPEED_TIME, (long)SILENT_SECS);
	rc = curl_easy_perform(c.h);
	curl_easy_getinfo(c.h, CURLINFO_RESPONSE_CODE, &status);
	if (rc && !f.stopped && !(status && status != 200))
		err = explain(&c, place, rc, reply);
	handle_end(&c);
	reply->status = (int)status;
	reply->body = f.line.data ? f.line.data : strdup("");
	return err ? err : reply->body ? 0 : -ENOMEM;
}
