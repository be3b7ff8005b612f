// SPDX-License-Identifier: MIT
/* export and apply: all rules of a server, or of an edge, as one file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diff.h"
#include "cli/http.h"
#include "cli/plan.h"
#include "cli/print.h"
#include "cli/request.h"
#include "cli/rule_body.h"
#include "cli/verbs.h"
#include "lib/rule/rule.h"

/* The rules of --client, or all: rows of the list. 0, or the exit code. */
static int fetch(struct cli_args *a, json_t **rows)
{
	const char *client = args_option(a, "client");
	char *target = client ? url_with("/v1/rules?client=", client, "") : strdup("/v1/rules");
	char id[CLIENT_ID_SIZE];
	int rc;

	if (!target)
		return cli_failure(a, EXIT_OTHER, "memory", "out of memory");
	rc = api_call(a, "GET", target, NULL, rows);
	free(target);
	if (!rc && client && !json_array_size(*rows))
		rc = client_find(a, client, id);
	return rc;
}

int verb_export(struct cli_args *a)
{
	json_t *rows = NULL, *rules = json_array(), *row;
	int rc = fetch(a, &rows);
	size_t i;

	json_array_foreach (rows, i, row)
		json_array_append_new(rules, rule_body_of_row(row));
	if (!rc)
		print_json(rules);
	json_decref(rules);
	json_decref(rows);
	return rc;
}

/* ---- apply ---- */

static const char *const names[] = {
	[STEP_ADD] = "add", [STEP_CHANGE] = "change", [STEP_REMOVE] = "remove"};

static void say(const struct cli_args *a, const struct step *s)
{
	json_t *diff = s->kind == STEP_CHANGE ? rule_diff(s->was, s->is) : NULL;
	const struct rule *r = s->rule;

	if (a->json) {
		json_t *line = json_pack("{s:s,s:I,s:s,s:i}", "action", names[s->kind], "rule_id",
					 (json_int_t)s->id, "client", r->client, "listen_port",
					 r->listen_port);

		if (diff)
			json_object_set(line, "changes", diff);
		json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(line);
	} else {
		printf("%s %s %u %s:%u%s\n", names[s->kind], r->client, r->listen_port,
		       r->targets[0].host, r->targets[0].port, r->n_targets > 1 ? " …" : "");
		if (diff)
			rule_diff_print(diff);
	}
	json_decref(diff);
}

static void target_of(long long id, bool strict, char *target, size_t size)
{
	snprintf(target, size, "/v1/rules/%lld%s", id, strict ? "?strict=true" : "");
}

/* Reads the rule again, and refuses when it is not what the step was made for. */
static int is_as_seen(struct cli_args *a, const struct step *s, struct api_tag *tag)
{
	json_t *row = NULL, *body;
	char target[64];
	bool same;
	int rc;

	target_of(s->id, false, target, sizeof(target));
	rc = api_call_tagged(a, "GET", target, NULL, tag, &row);
	if (rc)
		return rc;
	body = rule_body_of_row(row);
	same = json_equal(body, s->was);
	json_decref(body);
	json_decref(row);
	return same ? EXIT_OK
		    : cli_error(a, EXIT_INVALID, "precondition_failed",
				"rule %lld has been changed by somebody else meanwhile", s->id);
}

/* A rule that the edge refuses, or has not answered about, is stored all the same: *id is that one's too. */
static int push(struct cli_args *a, json_t *body, long long *id, struct api_tag *said)
{
	json_t *answer = NULL;
	int rc = api_call_tagged(a, "POST", "/v1/rules?strict=true", json_incref(body), said,
				 &answer);

	if (!rc)
		*id = number_of(answer, "rule_id");
	else if (strcmp(said->code, "port_in_use")) /* it names the rule that is in the way */
		*id = said->rule_id;
	json_decref(answer);
	return rc;
}

/* Of a change that got no answer of the server nobody knows whether it was made. */
static int note_unknown(struct cli_args *a, int rc, const struct api_tag *said)
{
	if (rc == EXIT_OTHER && !said->code[0])
		cli_note(a, "whether that was done is not known; apply the file again");
	return rc;
}

static int carry_out(struct cli_args *a, struct step *s)
{
	struct api_tag tag = {""};
	char target[64];
	int rc;

	if (s->kind == STEP_ADD) {
		rc = push(a, s->is, &s->id, &tag);
		s->done = s->id;
		return note_unknown(a, rc, &tag);
	}
	rc = is_as_seen(a, s, &tag);
	if (rc)
		return rc;
	target_of(s->id, s->is, target, sizeof(target));
	rc = api_call_tagged(a, s->is ? "PUT" : "DELETE", target, json_incref(s->is), &tag, NULL);
	/* A change that waits for the edge would take effect later. */
	s->done = !rc || rc == EXIT_ACK_TIMEOUT;
	return note_unknown(a, rc, &tag);
}

/*
 * A rule that was removed comes back under another id: the old one is never given again. What waits for a
 * silent edge is stored, and takes the place of what waited before.
 */
static bool undo(struct cli_args *a, struct step *s)
{
	struct api_tag said = {""};
	char target[64];
	int rc;

	if (!s->done)
		return true;
	target_of(s->id, s->was, target, sizeof(target));
	if (s->kind == STEP_REMOVE)
		rc = push(a, s->was, &s->id, &said);
	else if (s->was)
		rc = api_call(a, "PUT", target, json_incref(s->was), NULL);
	else
		rc = api_call(a, "DELETE", target, NULL, NULL);
	s->done = rc && rc != EXIT_ACK_TIMEOUT && (s->was || rc != EXIT_NOT_FOUND);
	return !s->done;
}

static size_t count_done(const struct step *steps, size_t n)
{
	size_t done = 0;

	for (size_t i = 0; i < n; i++)
		done += steps[i].done;
	return done;
}

/* The steps of one edge, of which @n are the first: all of them, or none. */
static int apply_edge(struct cli_args *a, struct step *steps, size_t n)
{
	size_t begun = 0;
	int rc = EXIT_OK;

	for (; begun < n && !rc; begun++) {
		say(a, &steps[begun]);
		if (!args_flag(a, "dry-run"))
			rc = carry_out(a, &steps[begun]);
	}
	if (!rc || !count_done(steps, begun))
		return rc;
	for (size_t back = begun; back > 0 && undo(a, &steps[back - 1]); back--)
		;
	if (count_done(steps, begun))
		cli_failure(a, EXIT_OTHER, "not_undone",
			    "%s: %zu changes could not be taken back; apply the file again",
			    steps[0].rule->client, count_done(steps, begun));
	else
		cli_note(a, "%s: what had been changed is as it was", steps[0].rule->client);
	return rc;
}

/* An edge that refuses its rules, or is away, does not keep those of the others. */
static int apply_steps(struct cli_args *a, struct plan *p)
{
	int first = EXIT_OK;

	for (size_t i = 0, n; i < p->n_steps; i += n) {
		int rc;

		for (n = 1; i + n < p->n_steps &&
			    !strcmp(p->steps[i + n].rule->client, p->steps[i].rule->client);)
			n++;
		rc = apply_edge(a, &p->steps[i], n);
		if (!first)
			first = rc;
	}
	return first;
}

int verb_apply(struct cli_args *a)
{
	struct plan p = {.n = 0};
	json_t *rows = NULL;
	int rc;

	/* A file of one edge's rules is not to remove those of all the others. */
	if (args_flag(a, "prune") && !args_flag(a, "client"))
		return usage_error(a, "'--prune' goes with --client");
	rc = plan_read(a, &p);
	if (!rc)
		rc = fetch(a, &rows);
	if (!rc)
		rc = plan_compare(a, &p, rows);
	if (!rc)
		rc = apply_steps(a, &p);
	if (!rc && p.n_steps && args_flag(a, "dry-run"))
		rc = EXIT_CHANGES;
	if (!rc)
		rc = p.unserved;
	json_decref(rows);
	plan_free(&p);
	return rc;
}
