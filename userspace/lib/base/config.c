// SPDX-License-Identifier: MIT
/* Flat configuration files in TOML: keys from a table, everything else an error with its line. */
#include "lib/base/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/atomic_file.h"
#include "lib/base/near.h"
#include "lib/base/toml.h"
#include "lib/base/utf8.h"

/* What a line set; nothing reaches the caller before the whole file is good. */
struct setting {
	int line; /* 0: not set */
	int64_t number;
	char *text;
};

struct reader {
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
	utf8_vformat(rd->err->message, sizeof(rd->err->message), fmt, args);
	va_end(args);
	return -EINVAL;
}

static const struct config_key *find_key(const struct reader *rd, const char *name, size_t len)
{
	for (size_t i = 0; i < rd->n; i++)
		if (strlen(rd->keys[i].name) == len && !memcmp(rd->keys[i].name, name, len))
			return &rd->keys[i];
	return NULL;
}

/* A string within the key's bounds. */
static int check_text(struct reader *rd, const struct config_key *key, const struct toml_value *v)
{
	const char *must_be;

	rd->line = v->line;
	if (v->type != TOML_STRING)
		return fail(rd, "%s takes a string in quotes", key->name);
	if (strlen(v->string) != v->len)
		return fail(rd, "%s cannot hold the character U+0000", key->name);
	if ((int64_t)v->len < key->min || (int64_t)v->len > key->max)
		return fail(rd, "%s must have %lld..%lld bytes", key->name, (long long)key->min,
			    (long long)key->max);
	must_be = key->wrong ? key->wrong(v->string) : NULL;
	return must_be ? fail(rd, "%s must be %s", key->name, must_be) : 0;
}

/* The strings of an array, each a line of the setting's text. */
static int read_list(struct reader *rd, const struct config_key *key, const struct toml_value *v,
		     struct setting *set)
{
	size_t size = 1, used = 0;

	if (v->type != TOML_ARRAY)
		return fail(rd, "%s takes an array of strings", key->name);
	for (size_t i = 0; i < v->n; i++) {
		int rc = check_text(rd, key, &v->child[i]);

		if (rc)
			return rc;
		if (strchr(v->child[i].string, '\n'))
			return fail(rd, "%s cannot hold the end of a line", key->name);
		size += v->child[i].len + 1;
	}
	if (!v->n)
		return 0;
	set->text = malloc(size);
	if (!set->text)
		return -ENOMEM;
	for (size_t i = 0; i < v->n; i++) {
		if (i)
			set->text[used++] = '\n';
		memcpy(set->text + used, v->child[i].string, v->child[i].len);
		used += v->child[i].len;
	}
	set->text[used] = '\0';
	return 0;
}

static int read_text(struct reader *rd, const struct config_key *key, const struct toml_value *v,
		     struct setting *set)
{
	int rc = check_text(rd, key, v);

	if (rc)
		return rc;
	set->text = strdup(v->string);
	return set->text ? 0 : -ENOMEM;
}

static int read_value(struct reader *rd, const struct config_key *key, const struct toml_value *v,
		      struct setting *set)
{
	rd->line = v->line;
	if (key->type == CONFIG_LIST)
		return read_list(rd, key, v, set);
	if (v->type == TOML_ARRAY || v->type == TOML_TABLE)
		return fail(rd, "%s takes neither an array nor a table", key->name);
	switch (key->type) {
	case CONFIG_BOOL:
		if (v->type != TOML_BOOLEAN)
			return fail(rd, "%s takes true or false", key->name);
		set->number = v->boolean;
		return 0;
	case CONFIG_INT:
		if (v->type != TOML_INTEGER)
			return fail(rd, "%s takes an integer", key->name);
		if (v->integer < key->min || v->integer > key->max)
			return fail(rd, "%s must be %lld..%lld", key->name, (long long)key->min,
				    (long long)key->max);
		set->number = v->integer;
		return 0;
	default:
		return read_text(rd, key, v, set);
	}
}

static int refuse_key(struct reader *rd, const struct toml_value *v)
{
	struct near_search s = {.word = v->key, .distance = NEAR_NONE};

	for (size_t i = 0; i < rd->n; i++)
		near_try(&s, rd->keys[i].name);
	return fail(rd, s.best ? "unknown key \"%.*s\"; did you mean %s?" : "unknown key \"%.*s\"",
		    utf8_cut(v->key, 64), v->key, s.best);
}

static int read_setting(struct reader *rd, const struct toml_value *v)
{
	const struct config_key *key = find_key(rd, v->key, v->key_len);

	rd->line = v->key_line;
	if (!key && (v->type == TOML_TABLE || (v->n && v->child[0].type == TOML_TABLE)))
		return fail(rd, "tables are not used in this file");
	if (!key)
		return refuse_key(rd, v);
	rd->set[key - rd->keys].line = v->key_line;
	return read_value(rd, key, v, &rd->set[key - rd->keys]);
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
		case CONFIG_LIST:
			free(*(char **)key->to);
			*(char **)key->to = set->text;
			set->text = NULL;
			break;
		}
	}
}

int config_read(const char *buf, size_t len, const struct config_key *keys, size_t n,
		struct config_error *err)
{
	struct reader rd = {.keys = keys, .n = n, .err = err};
	struct toml_value *root = NULL;
	struct toml_error wrong;
	int rc;

	if (n > CONFIG_KEYS_MAX)
		return fail(&rd, "the program knows more than %d keys", CONFIG_KEYS_MAX);
	rc = toml_parse(buf, len, &root, &wrong);
	if (rc == -EINVAL) {
		rd.line = wrong.line;
		/* The mistake that is made most. */
		fail(&rd, "%s",
		     strstr(wrong.message, "could not determine value type")
			     ? "a value is a number, true, false, or a text in quotes"
			     : wrong.message);
	}
	for (size_t i = 0; !rc && i < root->n; i++)
		rc = read_setting(&rd, &root->child[i]);
	if (!rc)
		commit(&rd);
	else if (rc == -ENOMEM)
		snprintf(err->message, sizeof(err->message), "out of memory");
	for (size_t i = 0; i < n; i++)
		free(rd.set[i].text);
	toml_free(root);
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
	size_t len;
	char *buf;
	int rc = file_read(path, CONFIG_FILE_MAX_BYTES, &buf, &len);

	if (rc)
		return fail_file(err, -rc);
	rc = config_read(buf, len, keys, n, err);
	free(buf);
	return rc;
}
