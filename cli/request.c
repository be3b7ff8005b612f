// SPDX-License-Identifier: MIT
/* Calls of the API: over HTTP with libcurl, or on the store itself when no server runs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "cli/verb.h"

#define CONNECT_SECS 2
#define TOTAL_SECS   30
#define BODY_MAX     (256u << 20)

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

char *url_encode(const char *text)
{
	char *encoded = curl_easy_escape(NULL, text, 0);
	char *copy = encoded ? strdup(encoded) : NULL;

	curl_free(encoded);
	return copy;
}

/* "http://" before an endpoint that has no scheme of its own. */
static char *url_of(const char *endpoint, const char *target)
{
	char *url;

	return asprintf(&url, "%s%s%s", strstr(endpoint, "://") ? "" : "http://", endpoint,
			target) < 0
		       ? NULL
		       : url;
}

static struct curl_slist *headers_of(bool has_body)
{
	const char *token = getenv("PORTUNUS_OPERATOR_TOKEN");
	struct curl_slist *list = NULL;
	char line[512];

	if (token && *token) {
		snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
		list = curl_slist_append(list, line);
	}
	if (has_body)
		list = curl_slist_append(list, "Content-Type: application/json");
	return curl_slist_append(list, "Expect:");
}

static CURL *handle_of(const char *url, const char *method, const char *body,
		       struct curl_slist *headers, char error[CURL_ERROR_SIZE])
{
	CURL *h = curl_easy_init();

	if (!h)
		return NULL;
	error[0] = '\0';
	curl_easy_setopt(h, CURLOPT_URL, url);
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECS);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_NOPROXY, "*"); /* the token is for this server only */
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	if (body)
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, body);
	return h;
}

/* Longer than the server waits for the edge. */
static long total_secs(const struct cli_args *a)
{
	const char *text = args_option(a, "ack-timeout");
	unsigned long long ack;

	if (text && parse_u64(text, 0, 3600, &ack) && (long)ack + 5 > TOTAL_SECS)
		return (long)ack + 5;
	return TOTAL_SECS;
}

static int over_http(struct cli_args *a, const char *endpoint, const char *method,
		     const char *target, const char *body, struct cli_reply *reply)
{
	char *url = url_of(endpoint, target), error[CURL_ERROR_SIZE];
	struct curl_slist *headers = headers_of(body != NULL);
	struct received got = {.data = NULL};
	CURL *h = url ? handle_of(url, method, body, headers, error) : NULL;
	CURLcode rc = CURLE_OUT_OF_MEMORY;
	long status = 0;

	if (h) {
		curl_easy_setopt(h, CURLOPT_TIMEOUT, total_secs(a));
		curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, receive);
		curl_easy_setopt(h, CURLOPT_WRITEDATA, &got);
		rc = curl_easy_perform(h);
		curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
		if (rc)
			snprintf(reply->why, sizeof(reply->why), "%s: %s", endpoint,
				 error[0] ? error : curl_easy_strerror(rc));
	}
	curl_easy_cleanup(h);
	curl_slist_free_all(headers);
	free(url);
	if (rc) {
		free(got.data);
		return -EIO;
	}
	reply->status = (int)status;
	reply->body = got.data ? got.data : strdup("");
	return reply->body ? 0 : -ENOMEM;
}

static bool one_of(const char *code, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(code, *list))
			return true;
	return false;
}

int exit_of(int status, const char *code)
{
	static const char *const refused[] = {"client_not_connected", "unauthenticated",
					      "credential_invalid",   "user_disabled",
					      "bootstrap_required",   NULL};

	if (one_of(code, refused) || status == 401)
		return EXIT_REFUSED;
	if (!strcmp(code, "port_in_use") || status == 403)
		return EXIT_DENIED;
	if (!strcmp(code, "activation_failed"))
		return EXIT_ACTIVATION;
	if (!strcmp(code, "ack_timeout"))
		return EXIT_ACK_TIMEOUT;
	if (status == 404)
		return EXIT_NOT_FOUND;
	return status == 400 || status == 409 || status == 413 || status == 415 || status == 422
		       ? EXIT_INVALID
		       : EXIT_OTHER;
}

/* Prints an error of the API; its message may repeat the code. */
static int report_error(int status, const char *body)
{
	json_t *o = json_loads(body, 0, NULL);
	const json_t *e = o ? json_object_get(o, "error") : NULL;
	const char *code = text_of(e, "code", ""), *message = text_of(e, "message", "");
	size_t n = strlen(code);
	int rc;

	if (!n) {
		fprintf(stderr, "error: http: status %d\n", status);
		json_decref(o);
		return EXIT_OTHER;
	}
	if (!strncmp(message, code, n) && message[n] == ':')
		message += n + 1 + (message[n + 1] == ' ');
	rc = exit_of(status, code);
	cli_error(rc, code, "%s", message);
	if (rc == EXIT_REFUSED && !getenv("PORTUNUS_OPERATOR_TOKEN") && status == 401)
		fputs("hint: set PORTUNUS_OPERATOR_TOKEN\n", stderr);
	json_decref(o);
	return rc;
}

/* -EBUSY: use the API at @endpoint instead. */
static int on_store(struct cli_args *a, const char *method, const char *target, const char *body,
		    struct cli_reply *reply, char *endpoint, size_t size)
{
	const struct cli_request request = {.data_dir = a->data_dir,
					    .advertised = a->advertised,
					    .method = method,
					    .target = target,
					    .body = body};
	int err = a->host->direct(&request, reply);

	if (err == -EBUSY && reply->why[0])
		snprintf(endpoint, size, "%s", reply->why);
	return err;
}

static int call_somehow(struct cli_args *a, enum via via, const char *method, const char *target,
			const char *body, struct cli_reply *reply)
{
	const char *given = args_option(a, "http-endpoint");
	char endpoint[600] = DEFAULT_ENDPOINT;
	int err;

	if (via == VIA_STORE_FIRST && !given) {
		err = on_store(a, method, target, body, reply, endpoint, sizeof(endpoint));
		/* Somebody who may not read the store may still have a token. */
		if (err != -EBUSY && err != -EACCES && err != -EPERM)
			return err;
	}
	reply->why[0] = '\0';
	return over_http(a, given ? given : endpoint, method, target, body, reply);
}

int api_call(struct cli_args *a, enum via via, const char *method, const char *target, json_t *body,
	     json_t **out)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct cli_reply reply = {.status = 0};
	int err, rc = EXIT_OK;

	err = body && !text ? -ENOMEM : call_somehow(a, via, method, target, text, &reply);
	json_decref(body);
	free(text);
	if (err) {
		if (err == -EIO && reply.why[0])
			fprintf(stderr, "error: http: %s\n", reply.why);
		else
			fprintf(stderr, "error: %s\n", reply.why[0] ? reply.why : strerror(-err));
		return err == -EPROTO ? EXIT_SCHEMA : EXIT_OTHER;
	}
	if (reply.status < 200 || reply.status > 299) {
		rc = report_error(reply.status, reply.body);
	} else if (out) {
		*out = *reply.body ? json_loads(reply.body, JSON_DECODE_ANY, NULL) : NULL;
		if (*reply.body && !*out) {
			fputs("error: http: the answer is not JSON\n", stderr);
			rc = EXIT_OTHER;
		}
	}
	free(reply.body);
	return rc;
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

int api_stream(struct cli_args *a, const char *target, int (*event)(void *arg, const char *data),
	       void *arg)
{
	const char *given = args_option(a, "http-endpoint");
	char *url = url_of(given ? given : DEFAULT_ENDPOINT, target), error[CURL_ERROR_SIZE];
	struct curl_slist *headers = headers_of(false);
	struct follow f = {.event = event, .arg = arg};
	int rc = EXIT_OTHER;
	long status = 0;
	CURLcode result;

	f.h = url ? handle_of(url, "GET", NULL, headers, error) : NULL;
	if (!f.h)
		goto out;
	curl_easy_setopt(f.h, CURLOPT_WRITEFUNCTION, follow_data);
	curl_easy_setopt(f.h, CURLOPT_WRITEDATA, &f);
	/* A server that vanished without a word: events come every few seconds. */
	curl_easy_setopt(f.h, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(f.h, CURLOPT_LOW_SPEED_TIME, 60L);
	result = curl_easy_perform(f.h);
	curl_easy_getinfo(f.h, CURLINFO_RESPONSE_CODE, &status);
	if (status && status != 200)
		rc = report_error((int)status, f.line.data ? f.line.data : "");
	else if (result && !f.stopped)
		fprintf(stderr, "error: http: %s\n", error[0] ? error : curl_easy_strerror(result));
	else
		rc = EXIT_OK;
out:
	curl_easy_cleanup(f.h);
	curl_slist_free_all(headers);
	free(f.line.data);
	free(url);
	return rc;
}
