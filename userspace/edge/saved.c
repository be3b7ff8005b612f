// SPDX-License-Identifier: MIT
/*
 * The saved rule set. The file: a line with the format's name, one with the SHA-256 of all that
 * follows, one with the scope; then each rule as a packed message behind its length in 4 bytes,
 * least significant first.
 */
#include "edge/saved.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/atomic_file.h"
#include "lib/hex.h"
#include "lib/proto_text.h"
#include "lib/rule.h"
#include "lib/rule_proto.h"

#define FORMAT_LINE "portunus saved rules 1\n"
#define HASH_LINE   (2 * SHA256_DIGEST_LENGTH + 1)
#define HEAD	    (sizeof(FORMAT_LINE) - 1 + HASH_LINE)
#define FILE_MAX    (64u << 20) /* some 100,000 rules of 8 long names */
#define RECORD_HEAD 4

int saved_path(const char *dir, const char *instance, char *out, size_t size)
{
	int n = snprintf(out, size, "%s/rules%s%s.saved", dir, *instance ? "-" : "", instance);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* ---- writing ---- */

static size_t record_size(const struct rule *r)
{
	struct rule_proto proto;

	rule_to_proto(r, true, &proto);
	return RECORD_HEAD + portunus__v1__rule__get_packed_size(&proto.msg);
}

static uint8_t *put_record(uint8_t *p, const struct rule *r)
{
	struct rule_proto proto;
	size_t len;

	rule_to_proto(r, true, &proto);
	len = portunus__v1__rule__pack(&proto.msg, p + RECORD_HEAD);
	for (unsigned i = 0; i < RECORD_HEAD; i++)
		p[i] = (uint8_t)(len >> (8 * i));
	return p + RECORD_HEAD + len;
}

static void put_hash(char *head, const uint8_t *body, size_t len)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	SHA256(body, len, digest);
	hex_write(digest, sizeof(digest), head);
}

int saved_write(const char *path, const char *scope, const struct rule *const *rules, size_t n)
{
	size_t scope_len = strlen(scope), size = HEAD + scope_len + 1;
	uint8_t *file, *p;
	int err;

	for (size_t i = 0; i < n; i++)
		size += record_size(rules[i]);
	if (size > FILE_MAX)
		return -EFBIG;
	file = malloc(size);
	if (!file)
		return -ENOMEM;
	memcpy(file, FORMAT_LINE, sizeof(FORMAT_LINE) - 1);
	p = file + HEAD;
	memcpy(p, scope, scope_len);
	p[scope_len] = '\n';
	p += scope_len + 1;
	for (size_t i = 0; i < n; i++)
		p = put_record(p, rules[i]);
	put_hash((char *)file + sizeof(FORMAT_LINE) - 1, file + HEAD, (size_t)(p - file) - HEAD);
	file[HEAD - 1] = '\n';
	err = file_make_parents(path, 0755);
	if (!err)
		err = file_write_atomic(path, file, (size_t)(p - file), 0600);
	free(file);
	return err;
}

/* ---- reading ---- */

/* The part behind the hash, if that is right. */
static const char *body_of(const char *file, size_t len)
{
	char hash[HASH_LINE];

	if (len < HEAD || memcmp(file, FORMAT_LINE, sizeof(FORMAT_LINE) - 1) ||
	    file[HEAD - 1] != '\n')
		return NULL;
	put_hash(hash, (const uint8_t *)file + HEAD, len - HEAD);
	if (memcmp(file + sizeof(FORMAT_LINE) - 1, hash, HASH_LINE - 1))
		return NULL;
	return file + HEAD;
}

/* The next record's rule; NULL: something is wrong with it. Moves *at on. */
static struct rule *take_record(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *p = *at;
	Portunus__V1__Rule *m = NULL;
	struct rule_error err;
	struct rule *r;
	size_t len = 0;

	if (end - p < RECORD_HEAD)
		return NULL;
	for (unsigned i = 0; i < RECORD_HEAD; i++)
		len |= (size_t)p[i] << (8 * i);
	p += RECORD_HEAD;
	if (len > (size_t)(end - p) || !proto_text_valid(&portunus__v1__rule__descriptor, p, len))
		return NULL;
	m = portunus__v1__rule__unpack(NULL, len, p);
	if (!m)
		return NULL;
	r = rule_from_proto(m, &err);
	portunus__v1__rule__free_unpacked(m, NULL);
	*at = p + len;
	return r;
}

static int take_records(const uint8_t *p, const uint8_t *end, struct rule ***rules, size_t *n)
{
	size_t room = 0;

	while (p < end) {
		if (*n == room) {
			struct rule **more;

			room = room ? 2 * room : 64;
			more = realloc(*rules, room * sizeof(*more));
			if (!more)
				return -ENOMEM;
			*rules = more;
		}
		(*rules)[*n] = take_record(&p, end);
		if (!(*rules)[*n])
			return -EBADMSG;
		++*n;
	}
	return 0;
}

int saved_read(const char *path, const char *scope, struct rule ***rules, size_t *n)
{
	const char *body, *line_end, *end;
	char *file;
	size_t len;
	int err = file_read(path, FILE_MAX, &file, &len);

	*rules = NULL;
	*n = 0;
	if (err)
		return err;
	end = file + len;
	body = body_of(file, len);
	line_end = body ? memchr(body, '\n', (size_t)(end - body)) : NULL;
	if (!line_end)
		err = -EBADMSG;
	else if ((size_t)(line_end - body) != strlen(scope) ||
		 memcmp(body, scope, strlen(scope)) != 0)
		err = -ESTALE;
	else
		err = take_records((const uint8_t *)line_end + 1, (const uint8_t *)end, rules, n);
	free(file);
	if (err) {
		rules_free(*rules, *n);
		*rules = NULL;
		*n = 0;
	}
	return err;
}

int saved_delete(const char *path)
{
	return unlink(path) && errno != ENOENT ? -errno : 0;
}
