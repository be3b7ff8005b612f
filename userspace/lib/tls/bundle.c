// SPDX-License-Identifier: MIT
/* The credential bundle: its file, and where that file is looked for. */
#include "lib/tls/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/atomic_file.h"
#include "lib/base/hex.h"
#include "lib/base/utf8.h"

#define PIN_HEX 64

static int refuse(char *why, const char *what, const char *key)
{
	utf8_format(why, BUNDLE_ERROR_SIZE, "%s: %s", key, what);
	return -EINVAL;
}

/* Copies a member of type string; @optional ones may be absent or null. */
static int get_text(const json_t *root, const char *key, bool optional, char *out, char *why)
{
	const json_t *v = json_object_get(root, key);

	out[0] = '\0';
	if (!v || json_is_null(v))
		return optional ? 0 : refuse(why, "missing", key);
	if (!json_is_string(v))
		return refuse(why, "not a string", key);
	if (json_string_length(v) >= BUNDLE_TEXT_MAX)
		return refuse(why, "longer than 256 characters", key);
	if (!optional && json_string_length(v) == 0)
		return refuse(why, "empty", key);
	/* jansson refuses an embedded NUL unless told otherwise. */
	memcpy(out, json_string_value(v), json_string_length(v) + 1);
	return 0;
}

static int from_json(const json_t *root, struct bundle *out, char *why)
{
	const json_t *version = json_object_get(root, "version");
	char pin[BUNDLE_TEXT_MAX], next[BUNDLE_TEXT_MAX];
	int rc;

	if (!json_is_object(root))
		return refuse(why, "not a JSON object", "bundle");
	if (version && !(json_is_integer(version) && json_integer_value(version) == BUNDLE_VERSION))
		return refuse(why, "only version 1 is known", "version");
	if ((rc = get_text(root, "client_name", false, out->client_name, why)) ||
	    (rc = get_text(root, "client_id", true, out->client_id, why)) ||
	    (rc = get_text(root, "server_endpoint", false, out->server_endpoint, why)) ||
	    (rc = get_text(root, "server_cert_sha256", false, pin, why)) ||
	    (rc = get_text(root, "next_server_cert_sha256", true, next, why)) ||
	    (rc = get_text(root, "token", false, out->token, why)))
		return rc;
	if (hex_read_whole(pin, out->pin, sizeof(out->pin)))
		return refuse(why, "not 64 hex digits", "server_cert_sha256");
	out->has_next_pin = *next != '\0';
	if (*next && hex_read_whole(next, out->next_pin, sizeof(out->next_pin)))
		return refuse(why, "not 64 hex digits", "next_server_cert_sha256");
	return 0;
}

int bundle_parse(const char *text, size_t len, struct bundle *out, char why[BUNDLE_ERROR_SIZE])
{
	json_error_t error;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	int rc;

	*out = (struct bundle){0};
	why[0] = '\0';
	if (!root) {
		utf8_format(why, BUNDLE_ERROR_SIZE, "not JSON: line %d column %d: %s", error.line,
			    error.column, error.text);
		return -EINVAL;
	}
	rc = from_json(root, out, why);
	json_decref(root);
	return rc;
}

int bundle_read(const char *path, struct bundle *out, char why[BUNDLE_ERROR_SIZE])
{
	char reason[BUNDLE_ERROR_SIZE];
	char *text = NULL;
	size_t len;
	int rc;

	*out = (struct bundle){0};
	rc = file_read(path, BUNDLE_FILE_MAX, &text, &len);
	if (rc) {
		utf8_format(why, BUNDLE_ERROR_SIZE, "%.*s: %s", utf8_cut(path, 160), path,
			    strerror(-rc));
		return rc;
	}
	rc = bundle_parse(text, len, out, reason);
	if (rc)
		utf8_format(why, BUNDLE_ERROR_SIZE, "%.*s: %s", utf8_cut(path, 100), path, reason);
	OPENSSL_cleanse(text, len);
	free(text);
	return rc;
}

bool bundle_is_private(const char *path)
{
	struct stat st;

	return stat(path, &st) || !(st.st_mode & 077);
}

int bundle_write(const char *path, const struct bundle *b)
{
	char pin[PIN_HEX + 1], next[PIN_HEX + 1];
	char *text = NULL;
	json_t *root;
	int rc = -ENOMEM;

	hex_write(b->pin, sizeof(b->pin), pin);
	hex_write(b->next_pin, sizeof(b->next_pin), next);
	/* jansson keeps the order of insertion, and the order is part of the format. */
	root = json_pack("{s:i, s:s, s:s*, s:s, s:s, s:s*, s:s}", "version", BUNDLE_VERSION,
			 "client_name", b->client_name, "client_id",
			 b->client_id[0] ? b->client_id : NULL, "server_endpoint",
			 b->server_endpoint, "server_cert_sha256", pin, "next_server_cert_sha256",
			 b->has_next_pin ? next : NULL, "token", b->token);
	if (!root)
		return -EINVAL; /* memory, or a text that is not UTF-8 */
	text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	if (!text)
		return rc;
	rc = file_make_parents(path, 0700);
	if (!rc)
		rc = file_write_atomic(path, text, strlen(text), 0600);
	OPENSSL_cleanse(text, strlen(text));
	free(text);
	return rc;
}

static bool given(const char *s)
{
	return s && *s;
}

static void add(struct bundle_paths *out, const char *dir, const char *rest)
{
	int n = snprintf(out->path[out->n], sizeof(out->path[0]), "%s%s", dir, rest);

	if (n >= 0 && (size_t)n < sizeof(out->path[0]))
		out->n++;
}

void bundle_search(const struct bundle_env *env, struct bundle_paths *out)
{
	out->n = 0;
	if (given(env->option)) {
		add(out, env->option, "");
		return;
	}
	if (given(env->bundle))
		add(out, env->bundle, "");
	if (given(env->xdg))
		add(out, env->xdg, "/portunus/" BUNDLE_FILE_NAME);
	if (given(env->home))
		add(out, env->home, "/.config/portunus/" BUNDLE_FILE_NAME);
	add(out, "./", BUNDLE_FILE_NAME);
}

int bundle_find(const struct bundle_env *env, struct bundle_paths *out)
{
	struct stat st;

	bundle_search(env, out);
	if (given(env->option))
		return out->n ? 0 : -1;
	for (int i = 0; i < out->n; i++)
		if (!stat(out->path[i], &st) && S_ISREG(st.st_mode))
			return i;
	return -1;
}

void bundle_target(const struct bundle_env *env, char path[4096])
{
	struct bundle_env writing = {.option = env->option, .xdg = env->xdg, .home = env->home};
	struct bundle_paths paths;

	bundle_search(&writing, &paths);
	snprintf(path, 4096, "%s", paths.n ? paths.path[0] : "./" BUNDLE_FILE_NAME);
}
