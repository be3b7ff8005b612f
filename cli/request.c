// SPDX-License-Identifier: MIT
/* Calls of the API: where the server is, and what its answers mean. */
#include "cli/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/http.h"
#include "cli/print.h"

#define TOTAL_SECS     30
#define RETRY_SECS     1 /* between attempts to follow a stream again; doubles */
#define RETRY_SECS_MAX 8

/* An API over HTTP. */
struct place {
	struct http_place http;
	char line[600]; /* of the lock file, which endpoint and pin may point into */
	bool named;	/* on the command line */
};

static void use_defaults(const struct cli_args *a, struct place *p)
{
	*p = (struct place){.http = {.endpoint = CLI_ENDPOINT,
				     .cacert = args_option(a, "cacert"),
				     .pin = args_option(a, "insecure-pin"),
				     .token = cli_env("PORTUNUS_OPERATOR_TOKEN")}};
}

/* Takes "ENDPOINT[ PIN]" from p->line. */
static void use_line(const struct cli_args *a, struct place *p)
{
	char *blank = strchr(p->line, ' ');

	if (blank)
		*blank++ = '\0';
	p->http.endpoint = p->line;
	/* Who can read the lock file of a server may trust what stands in it. */
	if (!p->http.pin && !p->http.cacert)
		p->http.pin = blank;
}

/* Whether an endpoint was named, by the option or the environment. */
static bool use_named(const struct cli_args *a, struct place *p)
{
	const char *option = args_option(a, "http-endpoint");
	const char *named = option ? option : cli_env("PORTUNUS_HTTP_ENDPOINT");

	if (named)
		p->http.endpoint = named;
	p->named = option;
	return named;
}

/*
 * A call on the store itself, made only with a directory that was named, or without a token that says that
 * a server is meant. -EAGAIN: use the API at @p.
 */
static int on_store(struct cli_args *a, struct place *p, const struct http_request *r,
		    struct cli_reply *reply)
{
	const struct cli_request request = {.data_dir = a->data_dir,
					    .advertised = a->advertised,
					    .method = r->method,
					    .target = r->target,
					    .body = r->body};
	int err;

	if (!a->data_dir_given && p->http.token) {
		if (!a->host->find(a->data_dir, p->line, sizeof(p->line)))
			use_line(a, p);
		return -EAGAIN;
	}
	err = a->host->direct(&request, reply);
	if (err == -EBUSY && reply->why[0]) {
		snprintf(p->line, sizeof(p->line), "%s", reply->why);
		use_line(a, p);
	}
	/* Somebody who may not read the store may still have a token. */
	if (err == -EBUSY || err == -EACCES || err == -EPERM)
		return -EAGAIN;
	if (err == -ENOENT)
		snprintf(reply->why, sizeof(reply->why),
			 "there is no store in %s: name the right one with --data-dir, or the "
			 "server with --http-endpoint; `init` and `serve` make one",
			 a->data_dir);
	return err;
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

/* ---- answers ---- */

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
	return status == 400 || status == 409 || status == 412 || status == 413 || status == 415 ||
			       status == 422
		       ? EXIT_INVALID
		       : EXIT_OTHER;
}

/* What to do next, where the API's message does not say it for somebody at a shell. */
static void say_hint(int status, const char *code, const char *message)
{
	const char *hint = NULL;

	if (status == 401 && !cli_env("PORTUNUS_OPERATOR_TOKEN"))
		hint = "set PORTUNUS_OPERATOR_TOKEN";
	else if (status == 401)
		hint = "what PORTUNUS_OPERATOR_TOKEN has is no live token of this server; "
		       "'portunus-server token-add NAME', run by an admin, makes one";
	else if (!strcmp(code, "client_not_connected") && strstr(message, "no client named"))
		hint = "'portunus-server enroll-client NAME' makes the command that enrols an edge; "
		       "'list-clients' shows those there are";
	else if (!strcmp(code, "client_not_connected"))
		hint = "start portunus-client on that host; if it runs, its log says why it does "
		       "not connect";
	else if (!strcmp(code, "user_already_exists"))
		hint = "'portunus-server token-revoke NAME', or choose another name";
	if (hint)
		fprintf(stderr, "hint: %s\n", hint);
}

/* Prints an error of the API, and keeps it in @tag; its message may repeat the code. */
static int report_error(const struct cli_args *a, int status, const char *body, struct api_tag *tag)
{
	json_t *o = json_loads(body, 0, NULL);
	const json_t *e = o ? json_object_get(o, "error") : NULL;
	const char *code = text_of(e, "code", ""), *message = text_of(e, "message", "");
	size_t n = strlen(code);
	int rc;

	if (!n) {
		json_decref(o);
		return cli_failure(a, EXIT_OTHER, "http",
				   "http: status %d, and no error of a Portunus server in it",
				   status);
	}
	snprintf(tag->code, sizeof(tag->code), "%s", code);
	tag->rule_id = number_of(e, "rule_id");
	if (!strncmp(message, code, n) && message[n] == ':')
		message += n + 1 + (message[n + 1] == ' ');
	rc = exit_of(status, code);
	cli_error(a, rc, code, "%s", message);
	if (!a->json)
		say_hint(status, code, message);
	json_decref(o);
	return rc;
}

static int report_failure(const struct cli_args *a, int err, const struct cli_reply *reply)
{
	if (err == -EIO && reply->why[0])
		return cli_failure(a, EXIT_OTHER, "http", "http: %s", reply->why);
	return cli_failure(a,
			   err == -EPROTO   ? EXIT_SCHEMA
			   : err == -EINVAL ? EXIT_USAGE
					    : EXIT_OTHER,
			   err == -ENOENT ? "store_missing" : "store", "%s",
			   reply->why[0] ? reply->why : strerror(-err));
}

/* ---- calls ---- */

/* @p NULL after a call on the store. */
static void say_where(const struct cli_args *a, const struct place *p, const char *method)
{
	if (!strcmp(method, "GET"))
		return;
	if (p && !p->named)
		cli_note(a, "done by the server at %s", p->http.endpoint);
	else if (!p && !args_flag(a, "data-dir"))
		cli_note(a, "done on the store in %s", a->data_dir);
}

static int call_somewhere(struct cli_args *a, const struct http_request *r, struct cli_reply *reply)
{
	struct place p;
	int err = -EAGAIN;

	use_defaults(a, &p);
	if (!use_named(a, &p)) {
		err = on_store(a, &p, r, reply);
		if (err != -EAGAIN) {
			if (!err && reply->status / 100 == 2)
				say_where(a, NULL, r->method);
			return err;
		}
	}
	reply->why[0] = '\0';
	err = http_call(&p.http, r, reply);
	if (!err && reply->status / 100 == 2)
		say_where(a, &p, r->method);
	return err;
}

int api_call(struct cli_args *a, const char *method, const char *target, json_t *body, json_t **out)
{
	struct api_tag none = {""};

	return api_call_tagged(a, method, target, body, &none, out);
}

int api_call_tagged(struct cli_args *a, const char *method, const char *target, json_t *body,
		    struct api_tag *tag, json_t **out)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	const struct http_request r = {.method = method,
				       .target = target,
				       .body = text,
				       .if_match = tag->text[0] ? tag->text : NULL,
				       .seconds = total_secs(a)};
	struct cli_reply reply = {.status = 0, .etag = ""};
	int err, rc = EXIT_OK;

	tag->code[0] = '\0';
	tag->rule_id = 0;
	err = body && !text ? -ENOMEM : call_somewhere(a, &r, &reply);
	json_decref(body);
	free(text);
	if (err)
		return report_failure(a, err, &reply);
	if (reply.status < 200 || reply.status > 299) {
		rc = report_error(a, reply.status, reply.body, tag);
	} else if (out) {
		*out = *reply.body ? json_loads(reply.body, JSON_DECODE_ANY, NULL) : NULL;
		if (*reply.body && !*out)
			rc = cli_failure(a, EXIT_OTHER, "http", "http: the answer is not JSON");
	}
	if (!strcmp(method, "GET"))
		memcpy(tag->text, reply.etag, sizeof(tag->text));
	free(reply.body);
	return rc;
}

/* ---- streams ---- */

struct watch {
	int (*event)(void *arg, const char *data);
	void *arg;
	bool ever, now; /* an event has come; in this attempt */
	bool stopped;
};

static int on_event(void *arg, const char *data)
{
	struct watch *w = arg;

	w->ever = w->now = true;
	w->stopped = w->event(w->arg, data) != 0;
	return w->stopped;
}

/* Follows once. -1 to try again, with the reason in @reply; else an exit code. */
static int follow(struct cli_args *a, const struct place *p, const char *target, struct watch *w,
		  struct cli_reply *reply)
{
	int err = http_follow(&p->http, target, on_event, w, reply);
	struct api_tag none = {""};

	if (w->stopped)
		return EXIT_OK;
	if (err && (!w->ever || err == -ENOMEM))
		return report_failure(a, err, reply);
	if (err || reply->status == 200 ||
	    (w->ever && (reply->status >= 500 || reply->status == 404)))
		return -1;
	return report_error(a, reply->status, reply->body, &none);
}

int api_stream(struct cli_args *a, const char *target, int (*event)(void *arg, const char *data),
	       void *arg, const char *gone)
{
	struct watch w = {.event = event, .arg = arg};
	unsigned int wait = RETRY_SECS;
	bool told = false;
	struct place p;

	use_defaults(a, &p);
	if (!use_named(a, &p) && !a->host->find(a->data_dir, p.line, sizeof(p.line)))
		use_line(a, &p);
	for (;;) {
		struct cli_reply reply = {.status = 0};
		int rc;

		w.now = false;
		rc = follow(a, &p, target, &w, &reply);
		if (rc < 0 && reply.status == 404)
			rc = cli_error(a, EXIT_NOT_FOUND, "rule_not_found", "%s", gone);
		if (w.now) {
			wait = RETRY_SECS;
			told = false;
		}
		if (rc < 0 && !told && reply.why[0]) {
			cli_note(a, "%s; trying again", reply.why);
			told = true;
		}
		free(reply.body);
		if (rc >= 0)
			return rc;
		sleep(wait);
		wait = wait * 2 < RETRY_SECS_MAX ? wait * 2 : RETRY_SECS_MAX;
	}
}
