// SPDX-License-Identifier: MIT
/*
 * The saved rule set. The file: a line with the format's name, one with the SHA-256 of all that
 * follows, one with the scope; then each rule as a packed message behind its length in 4 bytes,
 * least significant first. A length with its highest bit set is that of the caps of an owner.
 */
#include "edge/control/saved.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/atomic_file.h"
#include "lib/base/hex.h"
#include "lib/wire/text.h"
#include "lib/rule/rule.h"
#include "lib/rule/proto.h"

#define FORMAT_LINE "portunus saved rules 1\n"
#define HASH_LINE   (2 * SHA256_DIGEST_LENGTH + 1)
#define HEAD	    (sizeof(FORMAT_LINE) - 1 + HASH_LINE)
#define FILE_MAX    (64u << 20) /* some 100,000 rules of 8 long names */
#define RECORD_HEAD 4
#define OWNER_MARK  (1u << 31)

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

static uint8_t *put_head(uint8_t *p, size_t len)
{
	for (unsigned i = 0; i < RECORD_HEAD; i++)
		p[i] = (uint8_t)(len >> (8 * i));
	return p + RECORD_HEAD;
}

static uint8_t *put_record(uint8_t *p, const struct rule *r)
{
	struct rule_proto proto;
	size_t len;

	rule_to_proto(r, true, &proto);
	len = portunus__v1__rule__pack(&proto.msg, p + RECORD_HEAD);
	return put_head(p, len) + len;
}

struct owner_proto {
	Portunus__V1__OwnerRateLimitUpdate msg;
	Portunus__V1__RateLimit limit;
};

static void owner_to_proto(const struct saved_owner *o, struct owner_proto *out)
{
	portunus__v1__owner_rate_limit_update__init(&out->msg);
	rate_limit_to_proto(&o->limit, &out->limit);
	out->msg.owner_id = o->id;
	out->msg.rate_limit = &out->limit;
}

static size_t owner_size(const struct saved_owner *o)
{
	struct owner_proto proto;

	owner_to_proto(o, &proto);
	return RECORD_HEAD + portunus__v1__owner_rate_limit_update__get_packed_size(&proto.msg);
}

static uint8_t *put_owner(uint8_t *p, const struct saved_owner *o)
{
	struct owner_proto proto;
	size_t len;

	owner_to_proto(o, &proto);
	len = portunus__v1__owner_rate_limit_update__pack(&proto.msg, p + RECORD_HEAD);
	return put_head(p, len | OWNER_MARK) + len;
}

static void put_hash(char *head, const uint8_t *body, size_t len)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	SHA256(body, len, digest);
	hex_write(digest, sizeof(digest), head);
}

int saved_pack(const char *scope, const struct saved_set *set, uint8_t **out, size_t *len)
{
	size_t scope_len = strlen(scope), size = HEAD + scope_len + 1;
	uint8_t *file, *p;

	for (size_t i = 0; i < set->n; i++)
		size += record_size(set->rules[i]);
	for (size_t i = 0; i < set->n_owners; i++)
		size += owner_size(&set->owners[i]);
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
	for (size_t i = 0; i < set->n; i++)
		p = put_record(p, set->rules[i]);
	for (size_t i = 0; i < set->n_owners; i++)
		p = put_owner(p, &set->owners[i]);
	put_hash((char *)file + sizeof(FORMAT_LINE) - 1, file + HEAD, (size_t)(p - file) - HEAD);
	file[HEAD - 1] = '\n';
	*out = file;
	*len = (size_t)(p - file);
	return 0;
}

int saved_store(const char *path, const uint8_t *content, size_t len)
{
	int err = file_make_parents(path, 0755);

	return err ? err : file_write_atomic(path, content, len, 0600);
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

static bool take_rule(struct saved_set *set, const uint8_t *p, size_t len)
{
	Portunus__V1__Rule *m = NULL;
	struct rule_error err;

	if (proto_text_valid(&portunus__v1__rule__descriptor, p, len))
		m = portunus__v1__rule__unpack(NULL, len, p);
	if (!m)
		return false;
	set->rules[set->n] = rule_from_proto(m, &err);
	portunus__v1__rule__free_unpacked(m, NULL);
	return set->rules[set->n] && ++set->n;
}

static bool take_owner(struct saved_set *set, const uint8_t *p, size_t len)
{
	struct saved_owner *o = &set->owners[set->n_owners];
	Portunus__V1__OwnerRateLimitUpdate *m = NULL;
	struct rule_error err;

	if (proto_text_valid(&portunus__v1__owner_rate_limit_update__descriptor, p, len))
		m = portunus__v1__owner_rate_limit_update__unpack(NULL, len, p);
	if (m && m->rate_limit && !rate_limit_from_proto(m->rate_limit, &o->limit, &err))
		o->id = strdup(m->owner_id);
	if (m)
		portunus__v1__owner_rate_limit_update__free_unpacked(m, NULL);
	return o->id && ++set->n_owners;
}

/* Room for one element more in both arrays. */
static bool make_room(struct saved_set *set, size_t *room)
{
	struct rule **rules;
	struct saved_owner *owners;

	if (set->n < *room && set->n_owners < *room)
		return true;
	*room = *room ? 2 * *room : 64;
	rules = realloc(set->rules, *room * sizeof(*rules));
	if (rules)
		set->rules = rules;
	owners = realloc(set->owners, *room * sizeof(*owners));
	if (owners)
		set->owners = owners;
	if (!rules || !owners)
		return false;
	memset(owners + set->n_owners, 0, (*room - set->n_owners) * sizeof(*owners));
	return true;
}

static int take_records(const uint8_t *p, const uint8_t *end, struct saved_set *set)
{
	size_t room = 0;

	while (p < end) {
		size_t len = 0;
		bool owner, taken;

		if (!make_room(set, &room))
			return -ENOMEM;
		if (end - p < RECORD_HEAD)
			return -EBADMSG;
		for (unsigned i = 0; i < RECORD_HEAD; i++)
			len |= (size_t)p[i] << (8 * i);
		p += RECORD_HEAD;
		owner = len & OWNER_MARK;
		len &= OWNER_MARK - 1;
		if (len > (size_t)(end - p))
			return -EBADMSG;
		taken = owner ? take_owner(set, p, len) : take_rule(set, p, len);
		if (!taken)
			return -EBADMSG;
		p += len;
	}
	return 0;
}

void saved_set_free(struct saved_set *set)
{
	rules_free(set->rules, set->n);
	for (size_t i = 0; i < set->n_owners; i++)
		free(set->owners[i].id);
	free(set->owners);
	set->rules = NULL;
	set->owners = NULL;
}

int saved_read(const char *path, const char *scope, struct saved_set *out)
{
	const char *body, *line_end, *end;
	char *file;
	size_t len;
	int err = file_read(path, FILE_MAX, &file, &len);

	memset(out, 0, sizeof(*out));
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
		err = take_records((const uint8_t *)line_end + 1, (const uint8_t *)end, out);
	free(file);
	if (err) {
		saved_set_free(out);
		memset(out, 0, sizeof(*out));
	}
	return err;
}

int saved_delete(const char *path)
{
	return unlink(path) && errno != ENOENT ? -errno : 0;
}
