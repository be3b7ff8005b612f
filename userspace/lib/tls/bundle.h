/* SPDX-License-Identifier: MIT */
/* The credential bundle: its file, and where that file is looked for. */
#ifndef PORTUNUS_LIB_TLS_BUNDLE_H
#define PORTUNUS_LIB_TLS_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUNDLE_VERSION	  1
#define BUNDLE_TEXT_MAX	  257	     /* 256 characters and the terminator */
#define BUNDLE_FILE_MAX	  (64 << 10) /* old bundles carry a certificate */
#define BUNDLE_PATHS_MAX  4
#define BUNDLE_FILE_NAME  "client.bundle.json"
#define BUNDLE_ERROR_SIZE 256

/* What an edge keeps of its enrolment: where its server is, how to know it, how to be known to it. */
struct bundle {
	char client_name[BUNDLE_TEXT_MAX];
	char client_id[BUNDLE_TEXT_MAX];       /* "" in bundles of old servers */
	char server_endpoint[BUNDLE_TEXT_MAX]; /* host:port */
	char token[BUNDLE_TEXT_MAX];
	uint8_t pin[32];      /* SHA-256 of the server's leaf certificate */
	uint8_t next_pin[32]; /* of the one that the server is about to show */
	bool has_next_pin;
};

/*
 * Reads the bundle at @path. Returns 0, or -errno with @why telling what is wrong with which file
 * (-EINVAL: what it contains). Unknown keys are ignored.
 */
int bundle_read(const char *path, struct bundle *out, char why[BUNDLE_ERROR_SIZE]);

/* The same from text, as a fuzzer and tests do. @why does not name a file. */
int bundle_parse(const char *text, size_t len, struct bundle *out, char why[BUNDLE_ERROR_SIZE]);

/* Whether only its owner can read the file: it holds a token. True also when there is no such file. */
bool bundle_is_private(const char *path);

/*
 * Writes @path with mode 0600, making the directories above it (0700). A reader, or a power failure,
 * finds the old file or the new one, never a part. Returns 0 or -errno.
 */
int bundle_write(const char *path, const struct bundle *b);

/* The environment's part in the search, so that tests need not set it. Any may be NULL or "". */
struct bundle_env {
	const char *option; /* --bundle or --out: then it is the only candidate */
	const char *bundle; /* $PORTUNUS_CLIENT_BUNDLE: read only */
	const char *xdg;    /* $XDG_CONFIG_HOME */
	const char *home;   /* $HOME */
};

struct bundle_paths {
	char path[BUNDLE_PATHS_MAX][4096];
	int n;
};

/* Where a bundle is looked for, best first. */
void bundle_search(const struct bundle_env *env, struct bundle_paths *out);

/* The index of the first that exists; with env->option given, that one, even if it does not; -1: none. */
int bundle_find(const struct bundle_env *env, struct bundle_paths *out);

/* Where enrolment writes it: option, XDG, HOME, or the working directory. */
void bundle_target(const struct bundle_env *env, char path[4096]);

#endif
