// SPDX-License-Identifier: MIT
/* A rules file: its array taken apart rule by rule, so that every error has its place. */
#include "lib/addr.h"
#include "lib/rule_draft.h"
#include "lib/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* jansson quotes the text near an error and may cut it within a character. */
static void make_printable(char *s)
{
	for (size_t len, n; (n = strlen(s)) > 0; s += len) {
		len = utf8_len(s, n);
		if (len == 0 || (unsigned char)*s < 0x20 || *s == 0x7f) {
			*s = '?';
			len = 1;
		}
	}
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
	vsnprintf(rd->err->message, sizeof(rd->err->message), fmt, args);
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

/* Reads the JSON value at the current position and makes a rule of it. */
static int read_rule(struct reader *rd)
{
	size_t start = rd->pos;
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
	r = rule_parse_at(o, false, prefix, rd->err);
	json_decref(o);
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
		r->id = r->listen_port;
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

/* A rule's place in the search for equal ids and for overlapping listeners. */
struct claim {
	uint64_t major;	   /* id, or port */
	uint8_t family;	   /* 0 all addresses, else 4 or 6 */
	uint8_t bytes[16]; /* of the address; all zero means all of its family */
	size_t rule;
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int rc = (x->major > y->major) - (x->major < y->major);

	if (!rc)
		rc = (x->family > y->family) - (x->family < y->family);
	if (!rc)
		rc = memcmp(x->bytes, y->bytes, sizeof(x->bytes));
	return rc ? rc : (x->rule > y->rule) - (x->rule < y->rule);
}

static struct claim claim_listener(const struct rule *r, size_t rule)
{
	struct claim c = {.major = r->listen_port, .rule = rule};
	union addr a;

	if (!r->listen_address || addr_parse_literal(r->listen_address, 0, &a))
		return c;
	if (a.sa.sa_family == AF_INET) {
		c.family = 4;
		memcpy(c.bytes, &a.v4.sin_addr, sizeof(a.v4.sin_addr));
	} else if (!IN6_IS_ADDR_UNSPECIFIED(&a.v6.sin6_addr)) {
		c.family = 6;
		memcpy(c.bytes, &a.v6.sin6_addr, sizeof(a.v6.sin6_addr));
	}
	return c;
}

/* Whether @a, which sorts before @b, takes an address that @b wants too. */
static bool claims_overlap(const struct claim *a, const struct claim *b)
{
	static const uint8_t any[16];

	if (a->major != b->major)
		return false;
	return a->family == 0 || (a->family == b->family && (!memcmp(a->bytes, any, sizeof(any)) ||
							     !memcmp(a->bytes, b->bytes, 16)));
}

/*
 * Finds two claims that overlap; false when there are none. What takes more sorts first, so it is
 * enough to compare each with its neighbour: were two further apart to overlap, so would those.
 */
static bool find_overlap(struct claim *claims, size_t n, size_t *first, size_t *second)
{
	qsort(claims, n, sizeof(claims[0]), compare_claims);
	for (size_t i = 1; i < n; i++) {
		size_t a = claims[i - 1].rule, b = claims[i].rule;

		if (!claims_overlap(&claims[i - 1], &claims[i]))
			continue;
		*first = a < b ? a : b;
		*second = a < b ? b : a;
		return true;
	}
	return false;
}

static int check_unique(struct reader *rd)
{
	struct claim *claims = calloc(rd->n ? rd->n : 1, sizeof(claims[0]));
	size_t a, b;
	int rc = 0;

	if (!claims)
		return fail_memory(rd);
	for (size_t i = 0; i < rd->n; i++)
		claims[i] = claim_listener(rd->rules[i], i);
	if (find_overlap(claims, rd->n, &a, &b)) {
		rc = fail_at(rd, rd->starts[b], "port_in_use",
			     "rules[%zu].listen_port: %u is already taken by rules[%zu]", b,
			     rd->rules[b]->listen_port, a);
		goto out;
	}
	for (size_t i = 0; i < rd->n; i++)
		claims[i] = (struct claim){.major = rd->rules[i]->id, .rule = i};
	if (find_overlap(claims, rd->n, &a, &b))
		rc = fail_at(rd, rd->starts[b], "duplicate_rule_id",
			     "rules[%zu].id: %llu is already the id of rules[%zu] (without \"id\" "
			     "it is the listen port)",
			     b, (unsigned long long)rd->rules[b]->id, a);
out:
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
		rc = check_unique(&rd);
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
		snprintf(err->message, sizeof(err->message), "%s", text);
	else
		snprintf(err->message, sizeof(err->message), "%m");
	return -error;
}

/* Reads all of @fd, which may be a pipe, up to one byte more than the limit. */
static int read_all(int fd, char **buf, size_t *len)
{
	size_t room = 0, used = 0;
	char *data = NULL;
	ssize_t got;

	for (;;) {
		if (used == room) {
			char *more;

			room = room ? room * 2 : 64 << 10;
			if (room > RULE_FILE_MAX_BYTES)
				room = RULE_FILE_MAX_BYTES + 1;
			more = used < room ? realloc(data, room) : NULL;
			if (!more) {
				free(data);
				return used < room ? -ENOMEM : -EFBIG;
			}
			data = more;
		}
		got = read(fd, data + used, room - used);
		if (got == 0)
			break;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int error = errno;

			free(data);
			return -error;
		}
		used += (size_t)got;
	}
	*buf = data;
	*len = used;
	return 0;
}

int rules_read_file(const char *path, struct rule ***rules, size_t *n, struct rule_error *err)
{
	size_t len = 0;
	char *buf = NULL;
	int fd, rc;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_file(err, errno, NULL);
	rc = read_all(fd, &buf, &len);
	close(fd);
	if (rc)
		return fail_file(err, -rc, rc == -EFBIG ? "has more than 16 MiB" : NULL);
	rc = rules_read(buf, len, rules, n, err);
	free(buf);
	return rc;
}
