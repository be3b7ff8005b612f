/* SPDX-License-Identifier: MIT */
/* Serving the rules of a file: checked, applied, and what is wrong with it said where people look. */
#ifndef PORTUNUS_EDGE_RULES_FILE_H
#define PORTUNUS_EDGE_RULES_FILE_H

#include <stddef.h>

struct offload;
struct rule;
struct rule_error;
struct rule_table;
struct rulefile_reader;

/* What was read of a file. All zero: nothing. */
struct rulefile {
	struct rule **rules;
	size_t n;
};

/* How the rules of a file come to be. */
struct rulefile_source {
	/* Reads and checks them, on any thread; 0, or -errno with @err filled in. */
	int (*read)(void *arg, const char *path, struct rulefile *f, struct rule_error *err);
	/* What was read last is in force now; main thread. May be NULL. */
	void (*applied)(void *arg);
	void *arg;
};

/* A JSON array of rules. */
extern const struct rulefile_source rulefile_json;

/* Reads a JSON file, and waits for it; says on stderr what is wrong with it. 0 or -errno. */
int rulefile_read(const char *path, struct rulefile *f);
void rulefile_free(struct rulefile *f);

/* Makes what was read the rules in force, and frees it. Main thread. */
void rulefile_apply(const char *path, struct rulefile *f, struct rule_table *t);

/*
 * Reads the file again, on @files: it may be a pipe, or on a file system of another host. @path and
 * @source outlive it; @done(@arg) is called on the main thread after each time. NULL for memory.
 */
struct rulefile_reader *rulefile_reader_new(const char *path, const struct rulefile_source *source,
					    struct rule_table *t, struct offload *files,
					    void (*done)(void *arg), void *arg);
/* After @files has ended. */
void rulefile_reader_free(struct rulefile_reader *r);

/* A bad file changes nothing; the log says why. While it is read another request makes it one more. */
void rulefile_reload(struct rulefile_reader *r);

#endif
