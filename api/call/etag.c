// SPDX-License-Identifier: MIT
/* Makes entity tags and compares them with what a request says. */
#include "api/call/etag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "lib/base/hex.h"

#define HASH_BYTES 12 /* of SHA-256 */

struct etag {
	EVP_MD_CTX *md;
};

struct etag *etag_begin(void)
{
	struct etag *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->md = EVP_MD_CTX_new();
	if (!e->md || !EVP_DigestInit_ex(e->md, EVP_sha256(), NULL)) {
		etag_drop(e);
		return NULL;
	}
	return e;
}

void etag_add(struct etag *e, const void *data, size_t len)
{
	EVP_DigestUpdate(e->md, data, len);
}

void etag_end(struct etag *e, const char *version, char out[ETAG_SIZE])
{
	unsigned char hash[EVP_MAX_MD_SIZE] = {0};
	int n = snprintf(out, ETAG_SIZE, "\"%.*s%s", ETAG_VERSION, version ? version : "",
			 version ? "-" : "");

	EVP_DigestFinal_ex(e->md, hash, NULL);
	hex_write(hash, HASH_BYTES, out + n);
	strcat(out, "\"");
	etag_drop(e);
}

void etag_drop(struct etag *e)
{
	if (!e)
		return;
	EVP_MD_CTX_free(e->md);
	free(e);
}

/*
 * The next tag of a list without its quotes, of *len bytes; *list goes behind it. A tag may be marked
 * as weak. NULL at the end, or where the list is none.
 */
static const char *next_tag(const char **list, size_t *len)
{
	const char *p = *list + strspn(*list, " \t,"), *end;

	if (!strncmp(p, "W/", 2))
		p += 2;
	end = *p == '"' ? strchr(p + 1, '"') : NULL;
	if (!end)
		return NULL;
	*len = (size_t)(end - p) - 1;
	*list = end + 1;
	return p + 1;
}

static bool is_star(const char *list)
{
	size_t n = strspn(list, " \t");

	return list[n] == '*' && !list[n + 1 + strspn(list + n + 1, " \t")];
}

bool etag_matches(const char *list, const char *tag)
{
	const char *one;
	size_t len;

	if (!list || is_star(list))
		return list != NULL;
	while ((one = next_tag(&list, &len)))
		if (strlen(tag) == len + 2 && !memcmp(one, tag + 1, len))
			return true;
	return false;
}

bool etag_version_matches(const char *list, const char *version)
{
	const char *one;
	size_t len;

	if (!list || is_star(list))
		return list != NULL;
	while ((one = next_tag(&list, &len)))
		if (len > ETAG_VERSION && one[ETAG_VERSION] == '-' &&
		    !memcmp(one, version, ETAG_VERSION))
			return true;
	return false;
}
