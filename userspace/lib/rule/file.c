// SPDX-License-Identifier: MIT
/* A rules file: its array taken apart rule by rule, so that every error has its place. */
#include "lib/rule/draft.h"
#include "lib/rule/listen.h"
#include "lib/rule/span.h"
#include "lib/base/atomic_file.h"
#include "lib/base/utf8.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	const char *buf;
	size_t len, pos;
	struct rule **rules;
	size_t *starts; /* where in @buf each rule begins */
	size_t n, room;
	struct rule_error *err;
};

/* Sets the place of an error: line and column, from 1, of the byte at @pos. */
static void locate(struct reader *rd, size_t pos)
{
	int line = 1;
	size_t start = 0;

	for (size_t i = 0; i < pos && i < rd->len; i++) {
		if (rd->buf[i] != '\n')
			continue;
		line++;
		start = i + 1;
	}
	rd->err->line = line;
	rd->err->column = (int)(pos - start) + 1;
}

/* jansson quotes the text near an error. */
static void make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

static int __attribute__((format(printf, 4, 5)))
fail_at(struct reader *rd, size_t pos, const char *code, const char *fmt, ...)
{
	va_list args;

	memset(rd->err, 0, sizeof(*rd->err));
	rd->err->status = 400;
	rd->err->row = -1;
	snprintf(rd->err->code, sizeof(rd->err->code), "%s", code);
	va_start(args, fmt);
	utf8_vformat(rd->err->message, sizeof(rd->err->message), fmt, args);
	va_end(args);
	make_printable(rd->err->message);
	locate(rd, pos);
	return -EINVAL;
}

static int fail_memory(struct reader *rd)
{
	fail_at(rd, 0, "internal_error", "out of memory");
	rd->err->status = 500;
	rd->err->line = rd->err->column = 0;
	return -ENOMEM;
}

/* The next byte that is not white space, or -1 at the end. */
static int peek(struct reader *rd)
{
	while (rd->pos < rd->len && strchr(" \t\r\n", rd->buf[rd->pos]) && rd->buf[rd->pos])
		rd->pos++;
	return rd->pos < rd->len ? (unsigned char)rd->buf[rd->pos] : -1;
}

static int grow(struct reader *rd)
{
	size_t room = rd->room ? rd->room * 2 : 16;
	struct rule **rules = realloc(rd->rules, room * sizeof(rules[0]));
	size_t *starts;

	if (!rules)
		return fail_memory(rd);
	rd->rules = rules;
	starts = realloc(rd->starts, room * sizeof(starts[0]));
	if (!starts)
		return fail_memory(rd);
	rd->starts = starts;
	rd->room = room;
	return 0;
}

/* An unknown key of the rule whose text begins at @start. */
struct slip {
	struct reader *rd;
	size_t start;
	int rc;
};

/* Where the last key of @path is first written behind @start; there, if it is written with escapes. */
static size_t find_key(const struct reader *rd, size_t start, const char *path)
{
	const char *dot = strrchr(path, '.'), *at;
	char quoted[128];
	int len = snprintf(quoted, sizeof(quoted), "\"%s\"", dot ? dot + 1 : path);

	at = memmem(rd->buf + start, rd->pos - start, quoted, (size_t)len);
	return at ? (size_t)(at - rd->buf) : start;
}

static void refuse_key(void *arg, const char *path, const char *nearest)
{
	struct slip *s = arg;

	if (s->rc)
		return;
	s->rc = fail_at(s->rd, find_key(s->rd, s->start, path), "invalid_body",
			nearest ? "rules[%zu]: unknown key '%s'; did you mean '%s'?"
				: "rules[%zu]: unknown key '%s'",
			s->rd->n, path, nearest);
	s->rd->err->status = 422;
}

/* Reads the JSON value at the current position and makes a rule of it. */
static int read_rule(struct reader *rd)
{
	size_t start = rd->pos;
	struct slip slip = {.rd = rd, .start = start};
	json_error_t parse;
	char prefix[32];
	struct rule *r;
	json_t *o;

	if (rd->n == rd->room && grow(rd))
		return -ENOMEM;
	o = json_loadb(rd->buf + start, rd->len - start,
		       JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &parse);
	if (!o) {
		/* jansson's position is behind the last byte that it took. */
		size_t at = start + (size_t)(parse.position > 0 ? parse.position - 1 : 0);

		return fail_at(rd, at < rd->len ? at : rd->len, "invalid_json", "rules[%zu]: %s",
			       rd->n, parse.text);
	}
	rd->pos = start + (size_t)parse.position;
	snprintf(prefix, sizeof(prefix), "rules[%zu]", rd->n);
	/* First, or a slip in a key that is required would be told as its absence. */
	rule_unknown_keys(o, false, refuse_key, &slip);
	r = slip.rc ? NULL : rule_parse_at(o, false, prefix, rd->err);
	json_decref(o);
	if (slip.rc)
		return slip.rc;
	if (!r) {
		locate(rd, start);
		return rd->err->status == 500 ? -ENOMEM : -EINVAL;
	}
	rd->rules[rd->n] = r;
	rd->starts[rd->n++] = start;
	if ((r->fields & RULE_HAS_ID) && r->id == 0)
		return fail_at(rd, start, "invalid_id", "%s.id: must be 1..9007199254740992",
			       prefix);
	if (!(r->fields & RULE_HAS_ID)) {
		r->fields |= RULE_HAS_ID;
		r->id = r->listen_port + (r->protocol == RULE_UDP ? RULE_UDP_ID : 0);
	}
	return 0;
}

static int read_array(struct reader *rd)
{
	int rc, next;

	if (peek(rd) != '[')
		return fail_at(rd, rd->pos, "invalid_json",
			       rd->pos == rd->len ? "is empty; without rules it is []"
						  : "must be a JSON array of rules");
	rd->pos++;
	if (peek(rd) == ']') {
		rd->pos++;
	} else {
		do {
			peek(rd);
			rc = read_rule(rd);
			if (rc)
				return rc;
			next = peek(rd);
			if (next != ',' && next != ']')
				return fail_at(rd, rd->pos, "invalid_json",
					       "expected ',' or ']' after rules[%zu]", rd->n - 1);
			rd->pos++;
		} while (next == ',');
	}
	if (peek(rd) != -1)
		return fail_at(rd, rd->pos, "invalid_json", "more text after the array of rules");
	return 0;
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

static int fail_port(struct reader *rd, const char *code, size_t a, size_t b, const char *how)
{
	size_t later = a > b ? a : b, earlier = a > b ? b : a;

	return fail_at(rd, rd->starts[later], code,
		       "rules[%zu].listen_port: %u is already taken by rules[%zu]%s", later,
		       rule_listens_common(rd->rules[a], rd->rules[b]), earlier, how);
}

/* Ranges, of which there are few, are compared with all others. */
static int check_ranges(struct reader *rd)
{
	for (size_t i = 0; i < rd->n; i++)
		for (size_t k = 0; k < rd->n && rule_is_range(rd->rules[i]); k++)
			if (i != k && rule_listens_overlap(rd->rules[i], rd->rules[k]))
				return fail_port(rd, "port_in_use", i, k, "");
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
static int check_interface(struct reader *rd, const struct claim *claims, size_t i)
{
	size_t b = claims[i].rule;

	for (size_t k = i; k-- > 0 && claims[k].listen.port == claims[i].listen.port;) {
		size_t a = claims[k].rule;

		if (!rule_listen_compare(&claims[k].listen, &claims[i].listen) ||
		    !rule_listen_meets(&claims[k].listen, &claims[i].listen))
			continue;
		return fail_at(rd, rd->starts[a > b ? a : b], "port_in_use",
			       "rules[%zu].listen_port: %u is already taken by rules[%zu]",
			       a > b ? a : b, rd->rules[b]->listen_port, a > b ? b : a);
	}
	return 0;
}

/*
 * Whether two rules want the same address, and no pattern says which clients are whose. What takes more
 * sorts first, so it is enough to compare each of those with one port with its neighbour: were two further apart to overlap, the
 * neighbours between them would too.
 */
static int check_ports(struct reader *rd)
{
	struct claim *claims = calloc(rd->n ? rd->n : 1, sizeof(claims[0]));
	size_t n = 0;
	int rc = 0;

	if (!claims)
		return fail_memory(rd);
	for (size_t i = 0; i < rd->n; i++)
		if (!rule_is_range(rd->rules[i]))
			claims[n++] = (struct claim){.listen = rule_listen_of(rd->rules[i]),
						     .pattern = rd->rules[i]->sni_pattern
									? rd->rules[i]->sni_pattern
									: "",
						     .header = rd->rules[i]->accept_proxy,
						     .rule = i};
	qsort(claims, n, sizeof(claims[0]), compare_claims);
	for (size_t i = 1; i < n && !rc; i++) {
		const char *code;

		if (!rule_listen_covers(&claims[i - 1].listen, &claims[i].listen))
			continue;
		code = conflict(&claims[i - 1], &claims[i], has_patterns(claims, n, i));
		if (code)
			rc = fail_port(rd, code, claims[i - 1].rule, claims[i].rule,
				       *claims[i].pattern && strcmp(code, "port_in_use") != 0
					       ? " with the same sni_pattern"
					       : "");
	}
	for (size_t i = 0; i < n && !rc; i++)
		if (claims[i].listen.interface[0])
			rc = check_interface(rd, claims, i);
	free(claims);
	return rc ? rc : check_ranges(rd);
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

static int check_ids(struct reader *rd)
{
	struct id_claim *claims = calloc(rd->n ? rd->n : 1, sizeof(claims[0]));
	int rc = 0;

	if (!claims)
		return fail_memory(rd);
	for (size_t i = 0; i < rd->n; i++)
		claims[i] = (struct id_claim){.id = rd->rules[i]->id, .rule = i};
	qsort(claims, rd->n, sizeof(claims[0]), compare_ids);
	for (size_t i = 1; i < rd->n && !rc; i++)
		if (claims[i - 1].id == claims[i].id)
			rc = fail_at(rd, rd->starts[claims[i].rule], "duplicate_rule_id",
				     "rules[%zu].id: %llu is already the id of rules[%zu] (without "
				     "\"id\" it is the listen port, with UDP 65536 more)",
				     claims[i].rule, (unsigned long long)claims[i].id,
				     claims[i - 1].rule);
	free(claims);
	return rc;
}

int rules_read(const char *buf, size_t len, struct rule ***rules, size_t *n, struct rule_error *err)
{
	struct reader rd = {.buf = buf, .len = len, .err = err};
	int rc;

	/* Some editors put a byte order mark first, which says nothing in UTF-8. */
	if (len >= 3 && !memcmp(buf, "\xef\xbb\xbf", 3))
		rd.pos = 3;
	rc = read_array(&rd);
	if (!rc)
		rc = check_ports(&rd);
	if (!rc)
		rc = check_ids(&rd);
	free(rd.starts);
	if (rc) {
		rules_free(rd.rules, rd.n);
		return rc;
	}
	*rules = rd.rules;
	*n = rd.n;
	return 0;
}

static int fail_file(struct rule_error *err, int error, const char *text)
{
	memset(err, 0, sizeof(*err));
	err->status = 400;
	err->row = -1;
	snprintf(err->code, sizeof(err->code), "file_unreadable");
	errno = error;
	if (text)
		utf8_format(err->message, sizeof(err->message), "%s", text);
	else
		snprintf(err->message, sizeof(err->message), "%m");
	return -error;
}

int rules_read_file(const char *path, struct rule ***rules, size_t *n, struct rule_error *err)
{
	size_t len;
	char *buf;
	int rc = file_read(path, RULE_FILE_MAX_BYTES, &buf, &len);

	if (rc)
		return fail_file(err, -rc, rc == -EFBIG ? "has more than 16 MiB" : NULL);
	rc = rules_read(buf, len, rules, n, err);
	free(buf);
	return rc;
}
