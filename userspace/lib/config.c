// SPDX-License-Identifier: MIT
/* Flat TOML configuration files: keys from a table, everything else an error with its line. */
#include "lib/config.h"
#include "lib/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a line set; nothing reaches the caller before the whole file is good. */
struct setting {
	int line; /* 0: not set */
	int64_t number;
	char *text;
};

struct reader {
	const char *p, *end; /* of the text that is left */
	int line;
	const struct config_key *keys;
	size_t n;
	struct setting set[CONFIG_KEYS_MAX];
	struct config_error *err;
};

static int __attribute__((format(printf, 2, 3))) fail(struct reader *rd, const char *fmt, ...)
{
	va_list args;

	rd->err->line = rd->line;
	va_start(args, fmt);
	vsnprintf(rd->err->message, sizeof(rd->err->message), fmt, args);
	va_end(args);
	return -EINVAL;
}

static int peek(const struct reader *rd)
{
	return rd->p < rd->end ? (unsigned char)*rd->p : -1;
}

static bool at_end_of_line(const struct reader *rd)
{
	return rd->p == rd->end || *rd->p == '\n' ||
	       (*rd->p == '\r' && rd->end - rd->p > 1 && rd->p[1] == '\n');
}

static void skip_spaces(struct reader *rd)
{
	while (rd->p < rd->end && (*rd->p == ' ' || *rd->p == '\t'))
		rd->p++;
}

static bool is_control(int c)
{
	return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f;
}

/* The rest of a line after its value: spaces, a comment, the line's end. */
static int read_rest(struct reader *rd)
{
	skip_spaces(rd);
	if (peek(rd) == '#')
		while (!at_end_of_line(rd)) {
			if (is_control(peek(rd)))
				return fail(rd, "control character in a comment");
			rd->p++;
		}
	if (!at_end_of_line(rd))
		return fail(rd, "unexpected text after the value");
	if (peek(rd) == '\r')
		rd->p++;
	if (peek(rd) == '\n')
		rd->p++;
	return 0;
}

static bool is_bare(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static const struct config_key *find_key(const struct reader *rd, const char *name, size_t len)
{
	for (size_t i = 0; i < rd->n; i++)
		if (strlen(rd->keys[i].name) == len && !memcmp(rd->keys[i].name, name, len))
			return &rd->keys[i];
	return NULL;
}

static int read_key(struct reader *rd, const struct config_key **key)
{
	const char *name = rd->p;
	size_t len;

	if (peek(rd) == '[')
		return fail(rd, "tables are not used in this file");
	if (peek(rd) == '"' || peek(rd) == '\'')
		return fail(rd, "keys are written without quotes in this file");
	while (is_bare(peek(rd)))
		rd->p++;
	len = (size_t)(rd->p - name);
	if (len == 0)
		return fail(rd, "expected a key");
	if (peek(rd) == '.')
		return fail(rd, "dotted keys are not used in this file");
	skip_spaces(rd);
	if (peek(rd) != '=')
		return fail(rd, "expected '=' after the key");
	rd->p++;
	skip_spaces(rd);
	*key = find_key(rd, name, len);
	if (!*key)
		return fail(rd, "unknown key \"%.*s\"", (int)(len < 64 ? len : 64), name);
	return 0;
}

/* Writes the character as UTF-8 and returns its length, 0 where there is no such character. */
static size_t put_utf8(char *to, uint32_t c)
{
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The part of an escape after its backslash. Never writes more bytes than it reads. */
static int read_escape(struct reader *rd, char **to)
{
	static const char plain[] = "btnfr\"\\", meaning[] = "\b\t\n\f\r\"\\";
	int c = peek(rd), digits = c == 'u' ? 4 : c == 'U' ? 8 : 0;
	const char *known = c > 0 ? strchr(plain, c) : NULL;
	uint32_t value = 0;
	size_t len;

	if (known) {
		rd->p++;
		*(*to)++ = meaning[known - plain];
		return 0;
	}
	if (!digits)
		return fail(rd, "unknown escape in a string");
	rd->p++;
	for (; digits > 0; digits--) {
		int d = hex_digit(peek(rd));

		if (d < 0)
			return fail(rd, "\\u takes 4 and \\U takes 8 hexadecimal digits");
		value = value << 4 | (uint32_t)d;
		rd->p++;
	}
	len = put_utf8(*to, value);
	if (len == 0)
		return fail(rd, "escape of a character that a string cannot hold");
	*to += len;
	return 0;
}

/* A basic ("") or a literal ('') string on one line, into malloc'd memory. */
static int read_string(struct reader *rd, char **out)
{
	const char quote = *rd->p;
	char *text, *to;
	int rc = 0;

	if (rd->end - rd->p >= 3 && rd->p[1] == quote && rd->p[2] == quote)
		return fail(rd, "strings over several lines are not used in this file");
	rd->p++;
	to = text = malloc((size_t)(rd->end - rd->p) + 1);
	if (!text)
		return -ENOMEM;
	while (!rc && peek(rd) != quote) {
		if (at_end_of_line(rd)) {
			rc = fail(rd, "the string has no end on this line");
		} else if (is_control(peek(rd))) {
			rc = fail(rd, "control character in a string");
		} else if (*rd->p == '\\' && quote == '"') {
			rd->p++;
			rc = read_escape(rd, &to);
		} else {
			*to++ = *rd->p++;
		}
	}
	if (rc) {
		free(text);
		return rc;
	}
	rd->p++;
	*to = '\0';
	/* Room was for all that was left of the file. */
	*out = realloc(text, (size_t)(to - text) + 1);
	if (!*out)
		*out = text;
	return 0;
}

/* A decimal integer: a sign, no leading zero, single underscores between digits. */
static int read_int(struct reader *rd, int64_t *out)
{
	bool negative = peek(rd) == '-', after_digit = false;
	const char *first;
	uint64_t value = 0, most = (uint64_t)INT64_MAX + negative;

	if (peek(rd) == '-' || peek(rd) == '+')
		rd->p++;
	first = rd->p;
	for (;; rd->p++) {
		int c = peek(rd);

		if (c == '_' && after_digit) {
			after_digit = false;
			continue;
		}
		if (c < '0' || c > '9')
			break;
		if (value > (most - (uint64_t)(c - '0')) / 10)
			return fail(rd, "the number is too large");
		value = value * 10 + (uint64_t)(c - '0');
		after_digit = true;
	}
	if (!after_digit || is_bare(peek(rd)) || peek(rd) == '.' || peek(rd) == ':' ||
	    (*first == '0' && rd->p - first > 1))
		return fail(rd, "expected a decimal integer");
	*out = (int64_t)(negative ? 0 - value : value);
	return 0;
}

static int read_bool(struct reader *rd, int64_t *out)
{
	const char *word = rd->p;
	size_t len;

	while (is_bare(peek(rd)))
		rd->p++;
	len = (size_t)(rd->p - word);
	*out = len == 4 && !memcmp(word, "true", 4);
	if (!*out && !(len == 5 && !memcmp(word, "false", 5)))
		return fail(rd, "expected true or false");
	return 0;
}

static int read_value(struct reader *rd, const struct config_key *key, struct setting *set)
{
	const char *must_be;
	int64_t size;
	int rc;

	if (at_end_of_line(rd) || peek(rd) == '#')
		return fail(rd, "%s has no value", key->name);
	if (peek(rd) == '[' || peek(rd) == '{')
		return fail(rd, "arrays and tables are not used in this file");
	switch (key->type) {
	case CONFIG_BOOL:
		return read_bool(rd, &set->number);
	case CONFIG_INT:
		rc = read_int(rd, &set->number);
		if (!rc && (set->number < key->min || set->number > key->max))
			return fail(rd, "%s must be %lld..%lld", key->name, (long long)key->min,
				    (long long)key->max);
		return rc;
	case CONFIG_STRING:
		break;
	}
	if (peek(rd) != '"' && peek(rd) != '\'')
		return fail(rd, "%s takes a string in quotes", key->name);
	rc = read_string(rd, &set->text);
	if (rc)
		return rc;
	size = (int64_t)strlen(set->text);
	if (size < key->min || size > key->max)
		return fail(rd, "%s must have %lld..%lld bytes", key->name, (long long)key->min,
			    (long long)key->max);
	must_be = key->wrong ? key->wrong(set->text) : NULL;
	return must_be ? fail(rd, "%s must be %s", key->name, must_be) : 0;
}

static int read_line(struct reader *rd)
{
	const struct config_key *key;
	struct setting *set;
	int rc;

	skip_spaces(rd);
	if (at_end_of_line(rd) || peek(rd) == '#')
		return read_rest(rd);
	rc = read_key(rd, &key);
	if (rc)
		return rc;
	set = &rd->set[key - rd->keys];
	if (set->line)
		return fail(rd, "%s was set on line %d already", key->name, set->line);
	set->line = rd->line;
	rc = read_value(rd, key, set);
	return rc ? rc : read_rest(rd);
}

static void commit(struct reader *rd)
{
	for (size_t i = 0; i < rd->n; i++) {
		const struct config_key *key = &rd->keys[i];
		struct setting *set = &rd->set[i];

		if (!set->line)
			continue;
		switch (key->type) {
		case CONFIG_BOOL:
			*(bool *)key->to = set->number != 0;
			break;
		case CONFIG_INT:
			*(int64_t *)key->to = set->number;
			break;
		case CONFIG_STRING:
			free(*(char **)key->to);
			*(char **)key->to = set->text;
			set->text = NULL;
			break;
		}
	}
}

/* The first line, from 1, that is not UTF-8; 0 when all are. */
static int bad_utf8_line(const char *buf, size_t len)
{
	int line = 1;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_len(buf + i, len - i);
		if (n == 0)
			return line;
		line += buf[i] == '\n';
	}
	return 0;
}

int config_read(const char *buf, size_t len, const struct config_key *keys, size_t n,
		struct config_error *err)
{
	struct reader rd = {.p = buf, .end = buf + len, .keys = keys, .n = n, .err = err};
	int rc = 0;

	if (n > CONFIG_KEYS_MAX)
		return fail(&rd, "the program knows more than %d keys", CONFIG_KEYS_MAX);
	rd.line = bad_utf8_line(buf, len);
	if (rd.line)
		return fail(&rd, "the file is not UTF-8");
	if (len >= 3 && !memcmp(buf, "\xef\xbb\xbf", 3))
		rd.p += 3;
	for (rd.line = 1; !rc && rd.p < rd.end; rd.line++)
		rc = read_line(&rd);
	if (!rc)
		commit(&rd);
	else if (rc == -ENOMEM)
		snprintf(err->message, sizeof(err->message), "out of memory");
	for (size_t i = 0; i < n; i++)
		free(rd.set[i].text);
	return rc;
}

static int fail_file(struct config_error *err, int error)
{
	err->line = 0;
	errno = error;
	snprintf(err->message, sizeof(err->message), "%m");
	return -error;
}

int config_read_file(const char *path, const struct config_key *keys, size_t n,
		     struct config_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
	size_t len = 0;
	char *buf;

	if (fd < 0)
		return fail_file(err, errno);
	buf = malloc(CONFIG_FILE_MAX_BYTES + 1);
	rc = buf ? 0 : -ENOMEM;
	while (!rc) {
		ssize_t got = read(fd, buf + len, CONFIG_FILE_MAX_BYTES + 1 - len);

		if (got == 0)
			break;
		if (got < 0 && errno != EINTR)
			rc = -errno;
		len += got > 0 ? (size_t)got : 0;
		if (len > CONFIG_FILE_MAX_BYTES)
			rc = -EFBIG;
	}
	close(fd);
	rc = rc ? fail_file(err, -rc) : config_read(buf, len, keys, n, err);
	free(buf);
	return rc;
}
