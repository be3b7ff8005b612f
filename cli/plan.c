// SPDX-License-Identifier: MIT
/* What apply is to do: the rules of a file beside those that are there. */
#include "cli/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/print.h"
#include "cli/rule_body.h"
#include "lib/base/atomic_file.h"
#include "lib/rule/rule.h"
#include "lib/rule/sni.h"
#include "lib/rule/span.h"

/* ---- which is which ---- */

static int compare_place(const char *client, const struct rule_listen *at, const struct wanted *w)
{
	int rc = strcmp(client, w->rule->client);

	return rc ? rc : rule_listen_compare(at, &w->at);
}

static int by_place(const void *x, const void *y)
{
	const struct wanted *a = *(struct wanted *const *)x, *b = *(struct wanted *const *)y;
	int rc = compare_place(a->rule->client, &a->at, b);

	return rc ? rc : (a > b) - (a < b);
}

/* The rule of the file that is for the same clients of the same edge as @r, or NULL. */
static struct wanted *find_wanted(const struct plan *p, const struct rule *r)
{
	const struct rule_listen at = rule_listen_of(r);
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (compare_place(r->client, &at, p->by_place[mid]) > 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < p->n && !compare_place(r->client, &at, p->by_place[low]); low++)
		if (!rule_sni_differs(r, p->by_place[low]->rule))
			return p->by_place[low];
	return NULL;
}

/*
 * The rule of the file that @r becomes by other ends of a range: a port stays. Asked for once those of the
 * very same place have been found.
 */
static struct wanted *find_moved(const struct plan *p, const struct rule *r)
{
	for (size_t i = 0; i < p->n; i++) {
		struct wanted *w = &p->wanted[i];

		if (!w->found && (rule_is_range(r) || rule_is_range(w->rule)) &&
		    !strcmp(r->client, w->rule->client) && rule_listens_near(r, w->rule))
			return w;
	}
	return NULL;
}

/* Two rules for the same clients are a mistake in the file. */
static int sort_wanted(struct cli_args *a, struct plan *p)
{
	p->by_place = calloc(p->n + 1, sizeof(*p->by_place));
	if (!p->by_place)
		return cli_failure(a, EXIT_OTHER, "memory", "out of memory");
	for (size_t i = 0; i < p->n; i++)
		p->by_place[i] = &p->wanted[i];
	qsort(p->by_place, p->n, sizeof(*p->by_place), by_place);
	for (size_t i = 0; i < p->n; i++) {
		const struct wanted *first = find_wanted(p, p->wanted[i].rule);

		if (first != &p->wanted[i])
			return cli_error(a, EXIT_INVALID,
					 first->rule->sni_pattern ? "conflict.sni_route_duplicate"
								  : "port_in_use",
					 "rules[%zu] listens where rules[%zu] does", i,
					 (size_t)(first - p->wanted));
	}
	return EXIT_OK;
}

/* ---- the file ---- */

static int read_text(struct cli_args *a, char **text, size_t *len)
{
	const char *path = args_option(a, "file");
	int err;

	if (!path)
		return usage_error(a, "'--file' is required; '-' is the standard input");
	if (!strcmp(path, "-"))
		path = "/dev/stdin";
	err = file_read(path, RULE_FILE_MAX_BYTES, text, len);
	return err ? cli_failure(a, EXIT_OTHER, "file_unreadable", "%s: %s", path, strerror(-err))
		   : EXIT_OK;
}

struct unknown {
	const struct cli_args *a;
	size_t row;
	int rc;
};

static void refuse_key(void *arg, const char *path, const char *nearest)
{
	struct unknown *u = arg;

	if (!u->rc)
		u->rc = cli_error(u->a, EXIT_INVALID, "invalid_body",
				  nearest ? "rules[%zu]: unknown key '%s'; did you mean '%s'?"
					  : "rules[%zu]: unknown key '%s'",
				  u->row, path, nearest);
}

/* One rule of the file. A rules file names no edge; then --client has to. */
static int take_rule(struct cli_args *a, size_t i, json_t *rule, struct wanted *w)
{
	const char *client = args_option(a, "client"), *own;
	struct unknown u = {.a = a, .row = i};
	struct rule_error err;

	if (!json_is_object(rule))
		return cli_error(a, EXIT_INVALID, "invalid_body", "rules[%zu] is no object", i);
	w->body = json_incref(rule);
	json_object_del(rule, "id");
	own = json_string_value(json_object_get(rule, "client"));
	if (!own && !client)
		return cli_error(a, EXIT_INVALID, "invalid_body",
				 "rules[%zu] names no client: give --client", i);
	if (own && client && strcmp(own, client))
		return cli_error(a, EXIT_INVALID, "invalid_body",
				 "rules[%zu] is for the client '%s', and --client is another", i,
				 own);
	if (!own)
		json_object_set_new(rule, "client", json_string(client));
	rule_unknown_keys(rule, true, refuse_key, &u);
	if (u.rc)
		return u.rc;
	w->rule = rule_parse_push(rule, &err);
	if (!w->rule)
		return cli_error(a, EXIT_INVALID, err.code, "rules[%zu]: %s", i, err.message);
	w->at = rule_listen_of(w->rule);
	return EXIT_OK;
}

int plan_read(struct cli_args *a, struct plan *p)
{
	char *text = NULL;
	json_error_t error;
	json_t *rules, *rule;
	size_t i, len;
	int rc = read_text(a, &text, &len);

	if (rc)
		return rc;
	rules = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	free(text);
	if (!json_is_array(rules)) {
		json_decref(rules);
		return cli_error(a, EXIT_INVALID, "invalid_json", "line %d: %s", error.line,
				 rules ? "the rules are not an array" : error.text);
	}
	p->wanted = calloc(json_array_size(rules) + 1, sizeof(*p->wanted));
	if (!p->wanted)
		rc = cli_failure(a, EXIT_OTHER, "memory", "out of memory");
	json_array_foreach (rules, i, rule) {
		if (rc)
			break;
		rc = take_rule(a, i, rule, &p->wanted[p->n++]);
	}
	json_decref(rules);
	return rc ? rc : sort_wanted(a, p);
}

/* ---- the steps ---- */

/* A removal that makes room comes first, any other last. Those with patterns are added before those
 * without: an older edge takes a fallback beside them, and not the other way round. */
enum stage { MAKE_ROOM, CHANGE, ADD_PATTERN, ADD, REMOVE };

static struct step *add_step(struct plan *p, enum step_kind kind, enum stage stage)
{
	struct step *s;

	if (p->n_steps == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		struct step *more = realloc(p->steps, room * sizeof(*more));

		if (!more)
			return NULL;
		p->steps = more;
		p->room = room;
	}
	s = &p->steps[p->n_steps];
	*s = (struct step){.kind = kind, .stage = stage, .order = p->n_steps++};
	return s;
}

/* A rule that is as in the file and that the edge has refused, or not answered about, is not served. */
static void note_unserved(struct cli_args *a, struct plan *p, const json_t *row)
{
	const json_t *state = json_object_get(row, "state");
	const char *kind = text_of(state, "kind", ""), *client = text_of(row, "client_name", "");
	long long id = number_of(row, "id"), port = number_of(row, "listen_port");
	int rc = EXIT_OK;

	if (!strcmp(kind, "failed"))
		rc = cli_error(a, EXIT_ACTIVATION, "activation_failed",
			       "rule %lld, port %lld of %s, is as in the file and has failed: %s",
			       id, port, client, text_of(state, "reason", ""));
	else if (!strcmp(kind, "pending"))
		rc = cli_error(
			a, EXIT_ACK_TIMEOUT, "ack_timeout",
			"rule %lld, port %lld of %s, is as in the file and waits for the edge", id,
			port, client);
	if (!p->unserved)
		p->unserved = rc;
}

/* What the file says of one rule that is there. One that is not in its place is *left, and looked for with
 * @moved where it may have gone. */
static int compare_row(struct cli_args *a, struct plan *p, const json_t *row, bool moved,
		       bool *left)
{
	json_t *body = rule_body_of_row(row);
	struct rule_error err;
	struct rule *there = rule_parse_push(body, &err);
	struct wanted *w = !there ? NULL : moved ? find_moved(p, there) : find_wanted(p, there);
	struct step *s = NULL;
	bool changes = w && !rule_equal_kept(w->rule, there);

	if (there && !w && !moved) {
		*left = true;
		rule_free(there);
		json_decref(body);
		return EXIT_OK;
	}
	if (w)
		w->found = true;
	if (w && !changes)
		note_unserved(a, p, row);
	/* A rule of a kind that this program does not know stays as it is. */
	if (!there || (w && !changes) || (!w && !args_flag(a, "prune"))) {
		rule_free(there);
		json_decref(body);
		return EXIT_OK;
	}
	s = add_step(p, changes ? STEP_CHANGE : STEP_REMOVE, changes ? CHANGE : REMOVE);
	if (!s) {
		rule_free(there);
		json_decref(body);
		return cli_failure(a, EXIT_OTHER, "memory", "out of memory");
	}
	s->id = number_of(row, "id");
	s->was = body;
	s->own = there;
	s->rule = changes ? w->rule : there;
	s->is = changes ? w->body : NULL;
	return EXIT_OK;
}

/* Whether what is added where the rule stands waits for its removal. */
static bool is_in_the_way(const struct plan *p, const struct rule *r)
{
	const struct rule_listen at = rule_listen_of(r);

	for (size_t i = 0; i < p->n; i++)
		if (!p->wanted[i].found && p->wanted[i].at.port <= at.last &&
		    at.port <= p->wanted[i].at.last &&
		    !strcmp(r->client, p->wanted[i].rule->client) &&
		    rule_listens_conflict(r, p->wanted[i].rule))
			return true;
	return false;
}

static int by_turn(const void *x, const void *y)
{
	const struct step *a = x, *b = y;
	int rc = strcmp(a->rule->client, b->rule->client);

	if (!rc)
		rc = (a->stage > b->stage) - (a->stage < b->stage);
	return rc ? rc : (a->order > b->order) - (a->order < b->order);
}

int plan_compare(struct cli_args *a, struct plan *p, const json_t *rows)
{
	const json_t *row;
	struct step *s;
	int rc = EXIT_OK;
	bool *left;
	size_t i;

	left = calloc(json_array_size(rows) + 1, sizeof(*left));
	if (!left)
		return cli_failure(a, EXIT_OTHER, "memory", "out of memory");
	json_array_foreach (rows, i, row)
		if (!rc)
			rc = compare_row(a, p, row, false, &left[i]);
	json_array_foreach (rows, i, row)
		if (!rc && left[i])
			rc = compare_row(a, p, row, true, NULL);
	free(left);
	for (i = 0; !rc && i < p->n_steps; i++)
		if (p->steps[i].kind == STEP_REMOVE && is_in_the_way(p, p->steps[i].rule))
			p->steps[i].stage = MAKE_ROOM;
	for (i = 0; !rc && i < p->n; i++) {
		if (p->wanted[i].found)
			continue;
		s = add_step(p, STEP_ADD, p->wanted[i].rule->sni_pattern ? ADD_PATTERN : ADD);
		if (!s)
			return cli_failure(a, EXIT_OTHER, "memory", "out of memory");
		s->rule = p->wanted[i].rule;
		s->is = p->wanted[i].body;
	}
	if (!rc && p->n_steps)
		qsort(p->steps, p->n_steps, sizeof(*p->steps), by_turn);
	return rc;
}

void plan_free(struct plan *p)
{
	for (size_t i = 0; i < p->n_steps; i++) {
		json_decref(p->steps[i].was);
		rule_free(p->steps[i].own);
	}
	for (size_t i = 0; i < p->n; i++) {
		json_decref(p->wanted[i].body);
		rule_free(p->wanted[i].rule);
	}
	free(p->steps);
	free(p->by_place);
	free(p->wanted);
}
