// SPDX-License-Identifier: MIT
/* A rules file: its array taken apart rule by rule, so that every error has its place. */
#include "lib/rule/draft.h"
#include "lib/rule/set.h"
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

/* The rules as a whole: an error stands where the later of two that exclude each other begins. */
static int check_together(struct reader *rd)
{
	struct rule_set set = {
		.rules = rd->rules,
		.n = rd->n,
		.name = "rules",
		.id_hint = "without \"id\" it is the listen port, with UDP 65536 more",
		.err = rd->err,
	};
	int rc = rule_set_check(&set);

	if (rc == -ENOMEM)
		return fail_memory(rd);
	if (rc)
		locate(rd, rd->starts[set.at]);
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
		rc = check_together(&rd);
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
