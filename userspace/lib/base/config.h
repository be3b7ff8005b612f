/* SPDX-License-Identifier: MIT */
/* Flat configuration files in TOML: keys from a table, everything else an error with its line. */
#ifndef PORTUNUS_LIB_BASE_CONFIG_H
#define PORTUNUS_LIB_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_FILE_MAX_BYTES (256u << 10)
#define CONFIG_KEYS_MAX	      64

/* CONFIG_LIST: an array of strings, which become one text with a line for each. */
enum config_type { CONFIG_STRING, CONFIG_INT, CONFIG_BOOL, CONFIG_LIST };

/* One key that a file may set. */
struct config_key {
	const char *name;
	enum config_type type;
	int64_t min, max; /* of an integer, or of a string's length in bytes; unused for a bool */
	void *to;	  /* char **, int64_t * or bool *; of a text the old value is freed */
	/* Of a string (each of a list), or NULL: what it has to be, if it is not. Called for its line to be told. */
	const char *(*wrong)(const char *text);
};

struct config_error {
	int line; /* from 1; 0 when the file itself cannot be read */
	char message[200];
};

/*
 * Reads TOML 1.0 without tables. Sets what the file names, all of it or, on an error, nothing.
 * Strings become the caller's (free). Returns 0; -EINVAL for anything wrong in the text, else the
 * error of open or read; @err says it. At start, from one thread.
 */
int config_read_file(const char *path, const struct config_key *keys, size_t n,
		     struct config_error *err);

/* As config_read_file(), from @len bytes in memory. */
int config_read(const char *buf, size_t len, const struct config_key *keys, size_t n,
		struct config_error *err);

#endif
