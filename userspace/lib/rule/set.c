// SPDX-License-Identifier: MIT
/* Whether rules can be served together: no two want the same port, no two have the same id. */
#include "lib/rule/set.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "lib/rule/listen.h"
#include "lib/rule/rule.h"
#include "lib/rule/span.h"

static int __attribute__((format(printf, 4, 5)))
fail_at(struct rule_set *s, size_t rule, const char *code, const char *fmt, ...)
{
	va_list args;

	memset(s->err, 0, sizeof(*s->err));
	s->at = rule;
	s->err->status = 400;
	s->err->row = -1;
	snprintf(s->err->code, sizeof(s->err->code), "%s", code);
	va_start(args, fmt);
	utf8_vformat(s->err->message, sizeof(s->err->message), fmt, args);
	va_end(args);
	return -EINVAL;
}

/* A rule's place in the search for overlapping listeners. */
struct claim {
	struct rule_listen listen;
	const char *pattern; /* "": none */
	bool header;	     /* a balancer's comes before the name, which then is not looked for */
	size_t rule;
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int rc = rule_listen_compare(&x->listen, &y->listen);

	if (!rc)
		rc = strcmp(x->pattern, y->pattern);
	return rc ? rc : (x->rule > y->rule) - (x->rule < y->rule);
}

static int fail_port(struct rule_set *s, const char *code, size_t a, size_t b, const char *how)
{
	size_t later = a > b ? a : b, earlier = a > b ? b : a;

	return fail_at(s, later, code, "%s[%zu].listen_port: %u is already taken by %s[%zu]%s",
		       s->name, later, rule_listens_common(s->rules[a], s->rules[b]), s->name,
		       earlier, how);
}

/* Ranges, of which there are few, are compared with all others. */
static int check_ranges(struct rule_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; s->rules[i] && k < s->n && rule_is_range(s->rules[i]); k++)
			if (i != k && s->rules[k] && rule_listens_overlap(s->rules[i], s->rules[k]))
				return fail_port(s, "port_in_use", i, k, "");
	return 0;
}

/* What two neighbours that want the same address have to differ in, and do not; NULL: they do. */
static const char *conflict(const struct claim *a, const struct claim *b, bool has_patterns)
{
	if (rule_listen_compare(&a->listen, &b->listen) ||
	    (has_patterns && (a->header || b->header)))
		return "port_in_use";
	if (strcmp(a->pattern, b->pattern) != 0)
		return NULL;
	return *a->pattern    ? "conflict.sni_route_duplicate"
	       : has_patterns ? "conflict.sni_fallback_duplicate"
			      : "port_in_use";
}

/* Whether a rule that listens as claims[i] does has a pattern: the last of these, if any. */
static bool has_patterns(const struct claim *claims, size_t n, size_t i)
{
	while (i + 1 < n && !rule_listen_compare(&claims[i].listen, &claims[i + 1].listen))
		i++;
	return *claims[i].pattern;
}

/*
 * Whether claims[i], which names an interface, meets one before it that is no neighbour: such a rule sorts
 * behind those for all interfaces, whatever its address.
 */
static int check_interface(struct rule_set *s, const struct claim *claims, size_t i)
{
	size_t b = claims[i].rule;

	for (size_t k = i; k-- > 0 && claims[k].listen.port == claims[i].listen.port;) {
		size_t a = claims[k].rule;

		if (!rule_listen_compare(&claims[k].listen, &claims[i].listen) ||
		    !rule_listen_meets(&claims[k].listen, &claims[i].listen))
			continue;
		return fail_at(s, a > b ? a : b, "port_in_use",
			       "%s[%zu].listen_port: %u is already taken by %s[%zu]", s->name,
			       a > b ? a : b, s->rules[b]->listen_port, s->name, a > b ? b : a);
	}
	return 0;
}

/*
 * Whether two rules want the same address, and no pattern says which clients are whose. What takes more
 * sorts first, so it is enough to compare each of those with one port with its neighbour: were two further apart to overlap, the
 * neighbours between them would too.
 */
static int check_ports(struct rule_set *s)
{
	struct claim *claims = calloc(s->n ? s->n : 1, sizeof(claims[0]));
	size_t n = 0;
	int rc = 0;

	if (!claims)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		if (s->rules[i] && !rule_is_range(s->rules[i]))
			claims[n++] = (struct claim){.listen = rule_listen_of(s->rules[i]),
						     .pattern = s->rules[i]->sni_pattern
									? s->rules[i]->sni_pattern
									: "",
						     .header = s->rules[i]->accept_proxy,
						     .rule = i};
	qsort(claims, n, sizeof(claims[0]), compare_claims);
	for (size_t i = 1; i < n && !rc; i++) {
		const char *code;

		if (!rule_listen_covers(&claims[i - 1].listen, &claims[i].listen))
			continue;
		code = conflict(&claims[i - 1], &claims[i], has_patterns(claims, n, i));
		if (code)
			rc = fail_port(s, code, claims[i - 1].rule, claims[i].rule,
				       *claims[i].pattern && strcmp(code, "port_in_use") != 0
					       ? " with the same sni_pattern"
					       : "");
	}
	for (size_t i = 0; i < n && !rc; i++)
		if (claims[i].listen.interface[0])
			rc = check_interface(s, claims, i);
	free(claims);
	return rc ? rc : check_ranges(s);
}

/* A rule's place in the search for equal ids. */
struct id_claim {
	uint64_t id;
	size_t rule;
};

static int compare_ids(const void *a, const void *b)
{
	const struct id_claim *x = a, *y = b;
	int rc = (x->id > y->id) - (x->id < y->id);

	return rc ? rc : (x->rule > y->rule) - (x->rule < y->rule);
}

static int check_ids(struct rule_set *s)
{
	struct id_claim *claims = calloc(s->n ? s->n : 1, sizeof(claims[0]));
	size_t n = 0;
	int rc = 0;

	if (!claims)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		if (s->rules[i])
			claims[n++] = (struct id_claim){.id = s->rules[i]->id, .rule = i};
	qsort(claims, n, sizeof(claims[0]), compare_ids);
	for (size_t i = 1; i < n && !rc; i++)
		if (claims[i - 1].id == claims[i].id)
			rc = fail_at(s, claims[i].rule, "duplicate_rule_id",
				     "%s[%zu].id: %llu is already the id of %s[%zu] (%s)", s->name,
				     claims[i].rule, (unsigned long long)claims[i].id, s->name,
				     claims[i - 1].rule, s->id_hint);
	free(claims);
	return rc;
}

int rule_set_check(struct rule_set *s)
{
	int rc = check_ports(s);

	return rc ? rc : check_ids(s);
}
