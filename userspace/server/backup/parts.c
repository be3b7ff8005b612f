// SPDX-License-Identifier: MIT
/* What belongs with a store: the files of a full backup, by the names that they have in it. */
#include "server/backup/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "lib/base/atomic_file.h"
#include "server/access/certificate.h"

const char *const part_names[PARTS] = {
	[PART_SETTINGS] = "server.toml",     [PART_CERT] = "server.crt",
	[PART_KEY] = "server.key",	     [PART_NEXT_CERT] = "server.crt.next",
	[PART_NEXT_KEY] = "server.key.next", [PART_MARKER] = ".portunus-autocert",
	[PART_EDGE] = "edge.bundle.json",
};

struct places {
	char path[PARTS][PATH_MAX];
};

static int find_places(struct places *at, const char *data_dir, const char *cert_path,
		       const char *key_path)
{
	for (int i = 0; i < PARTS; i++)
		if (snprintf(at->path[i], PATH_MAX, "%s/%s", data_dir, part_names[i]) >= PATH_MAX)
			return -ENAMETOOLONG;
	if (strlen(cert_path) + sizeof(".next") > PATH_MAX ||
	    strlen(key_path) + sizeof(".next") > PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(at->path[PART_CERT], cert_path);
	strcpy(at->path[PART_KEY], key_path);
	certificate_next_path(cert_path, at->path[PART_NEXT_CERT]);
	certificate_next_path(key_path, at->path[PART_NEXT_KEY]);
	return 0;
}

static int read_part(struct parts *p, int i, const char *path, char *why, size_t why_size)
{
	int err = file_read(path, PART_SIZE_MAX, &p->data[i], &p->len[i]);

	if (!err || err == -ENOENT)
		return 0;
	snprintf(why, why_size, "cannot read %s: %s", path, strerror(-err));
	return err;
}

bool parts_equal(const struct parts *a, const struct parts *b)
{
	for (int i = 0; i < PARTS; i++)
		if (!a->data[i] != !b->data[i] || a->len[i] != b->len[i] ||
		    (a->data[i] && memcmp(a->data[i], b->data[i], a->len[i])))
			return false;
	return true;
}

/* A rotation of the certificate replaces four files, one after the other: what is read twice the same is whole. */
int parts_read(struct parts *p, const char *data_dir, const char *cert_path, const char *key_path,
	       char *why, size_t why_size)
{
	struct places *at = calloc(1, sizeof(*at));
	struct parts again = {.len = {0}};
	int err = at ? find_places(at, data_dir, cert_path, key_path) : -ENOMEM;

	*p = (struct parts){.len = {0}};
	for (int i = 0; i < PARTS && !err; i++)
		err = read_part(p, i, at->path[i], why, why_size);
	for (int i = 0; i < PARTS && !err; i++)
		err = read_part(&again, i, at->path[i], why, why_size);
	if (!err && !parts_equal(p, &again))
		err = -EAGAIN;
	parts_free(&again);
	free(at);
	if (err)
		parts_free(p);
	return err;
}

void parts_free(struct parts *p)
{
	for (int i = 0; i < PARTS; i++) {
		if (p->data[i])
			explicit_bzero(p->data[i], p->len[i]);
		free(p->data[i]);
		p->data[i] = NULL;
		p->len[i] = 0;
	}
}

/* Who asks for a passphrase gets none. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	return -1;
}

static bool belong_together(const struct parts *p, int cert_at, int key_at)
{
	BIO *c, *k;
	X509 *cert;
	EVP_PKEY *key;
	bool ok;

	if (!p->data[cert_at] || !p->data[key_at])
		return false;
	c = BIO_new_mem_buf(p->data[cert_at], (int)p->len[cert_at]);
	k = BIO_new_mem_buf(p->data[key_at], (int)p->len[key_at]);
	cert = c ? PEM_read_bio_X509(c, NULL, NULL, NULL) : NULL;
	key = k ? PEM_read_bio_PrivateKey(k, NULL, no_passphrase, NULL) : NULL;
	ok = cert && key && X509_check_private_key(cert, key) == 1;

	EVP_PKEY_free(key);
	X509_free(cert);
	BIO_free(k);
	BIO_free(c);
	ERR_clear_error();
	return ok;
}

/*
 * The next certificate is for the next key or, without one, for the key in use: an operator has put it there so, or
 * the switch to it was broken off after its key, and a start goes on with it.
 */
int parts_check(const struct parts *p, char *why, size_t why_size)
{
	bool next = p->data[PART_NEXT_CERT];
	bool fits = next && belong_together(p, PART_NEXT_CERT,
					    p->data[PART_NEXT_KEY] ? PART_NEXT_KEY : PART_KEY);
	bool switching = p->data[PART_CERT] && fits && !p->data[PART_NEXT_KEY];

	if (next && !fits) {
		snprintf(why, why_size, "%s has no key that fits", part_names[PART_NEXT_CERT]);
		return -EUCLEAN;
	}
	if ((!p->data[PART_CERT] && !p->data[PART_KEY]) || switching ||
	    belong_together(p, PART_CERT, PART_KEY))
		return 0;
	snprintf(why, why_size, "%s and %s do not belong together", part_names[PART_CERT],
		 part_names[PART_KEY]);
	return -EUCLEAN;
}
