/* SPDX-License-Identifier: MIT */
/* What belongs with a store: the files of a full backup, by the names that they have in it. */
#ifndef PORTUNUS_SERVER_BACKUP_PARTS_H
#define PORTUNUS_SERVER_BACKUP_PARTS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No file beside the store is larger. */
#define PART_SIZE_MAX (1u << 20)

enum part {
	PART_SETTINGS,
	PART_CERT,
	PART_KEY,
	PART_NEXT_CERT,
	PART_NEXT_KEY,
	PART_MARKER, /* the pair was made by the server itself */
	PART_EDGE,   /* of serve --edge: what its edge knows the server by */
	PARTS
};

/* In an archive, and in the data directory that it is restored to. */
extern const char *const part_names[PARTS];

/* The contents: owned, NULL for a file that is not there. */
struct parts {
	char *data[PARTS];
	size_t len[PARTS];
};

/*
 * Reads them: the pair where server.toml says that it lies, the rest in the data directory. 0, or -errno with a
 * sentence in @why; -EAGAIN: they changed meanwhile.
 */
int parts_read(struct parts *p, const char *data_dir, const char *cert_path, const char *key_path,
	       char *why, size_t why_size);
/* Whether each certificate that is there has a key. 0 or -EUCLEAN with @why. */
int parts_check(const struct parts *p, char *why, size_t why_size);
bool parts_equal(const struct parts *a, const struct parts *b);
void parts_free(struct parts *p);

#endif
