/* SPDX-License-Identifier: MIT */
/* TOML by toml++ (header only, C++): its tree becomes one of plain structs. */
#ifndef PORTUNUS_LIB_BASE_TOML_H
#define PORTUNUS_LIB_BASE_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* TOML 1.0 documents, with the place of every key and value. The reader is toml++. */

enum toml_type {
	TOML_STRING,
	TOML_INTEGER,
	TOML_FLOAT,
	TOML_BOOLEAN,
	TOML_TIME, /* a date, a time or both: only its place is kept */
	TOML_ARRAY,
	TOML_TABLE,
};

struct toml_value {
	enum toml_type type;
	int line, column; /* of the value, from 1; columns count characters */
	/* In a table: its key, UTF-8 with a terminator, and where it stands. NULL in an array. */
	char *key;
	size_t key_len;
	int key_line, key_column;
	/* By type. A string is UTF-8 with a terminator, and may have a NUL in it. */
	char *string;
	size_t len;
	int64_t integer;
	double number;
	bool boolean;
	struct toml_value *child; /* of an array or table, in the order of the text */
	size_t n;
};

struct toml_error {
	int line, column;
	char message[200]; /* UTF-8 */
};

/*
 * Reads @len bytes. Returns 0 and the root table, which toml_free() frees; -EINVAL with @err filled in;
 * -ENOMEM. Any thread.
 */
int toml_parse(const char *text, size_t len, struct toml_value **root, struct toml_error *err);
void toml_free(struct toml_value *root);

/* The value of a key of a table, or NULL. */
const struct toml_value *toml_find(const struct toml_value *table, const char *key);

#ifdef __cplusplus
}
#endif

#endif
