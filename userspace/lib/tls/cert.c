// SPDX-License-Identifier: MIT
/* Makes the server's own certificate. */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/atomic_file.h"
#include "lib/tls/tls.h"

#define VALID_SECONDS	 (3650l * 24 * 3600)
#define BACKDATE_SECONDS (24l * 3600) /* for edges whose clock is behind */
#define CN_MAX		 64	      /* ub-common-name of RFC 5280 */

/* A positive number of 127 bits. */
static int set_serial(X509 *cert)
{
	unsigned char raw[16];
	BIGNUM *n;
	int ok;

	if (RAND_bytes(raw, sizeof(raw)) != 1)
		return -EIO;
	raw[0] = (raw[0] & 0x7f) | 0x40;
	n = BN_bin2bn(raw, sizeof(raw), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
	BN_free(n);
	return ok ? 0 : -ENOMEM;
}

static GENERAL_NAME *new_san(const char *host)
{
	unsigned char raw[16];
	int n = inet_pton(AF_INET, host, raw) == 1    ? 4
		: inet_pton(AF_INET6, host, raw) == 1 ? 16
						      : 0;
	ASN1_STRING *value = n ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
	GENERAL_NAME *name = GENERAL_NAME_new();

	if (!name || !value ||
	    !ASN1_STRING_set(value, n ? (const void *)raw : host, n ? n : (int)strlen(host))) {
		ASN1_STRING_free(value);
		GENERAL_NAME_free(name);
		return NULL;
	}
	GENERAL_NAME_set0_value(name, n ? GEN_IPADD : GEN_DNS, value);
	return name;
}

static bool seen_before(const char *const *hosts, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcasecmp(hosts[k], hosts[i]))
			return true;
	return false;
}

static int add_sans(X509 *cert, const char *const *hosts, size_t n)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	int rc = names ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !rc; i++) {
		GENERAL_NAME *name;

		if (!hosts[i][0] || seen_before(hosts, i))
			continue;
		name = new_san(hosts[i]);
		if (!name || !sk_GENERAL_NAME_push(names, name)) {
			GENERAL_NAME_free(name);
			rc = -ENOMEM;
		}
	}
	if (!rc && sk_GENERAL_NAME_num(names) > 0 &&
	    X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) != 1)
		rc = -ENOMEM;
	GENERAL_NAMES_free(names);
	return rc;
}

static int add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok ? 0 : -ENOMEM;
}

static int fill(X509 *cert, EVP_PKEY *key, const char *common_name, const char *const *hosts,
		size_t n_hosts)
{
	X509_NAME *name = X509_get_subject_name(cert);
	size_t cn_len = strnlen(common_name, CN_MAX);
	int rc;

	if (!X509_set_version(cert, X509_VERSION_3) || !X509_set_pubkey(cert, key) ||
	    !X509_gmtime_adj(X509_getm_notBefore(cert), -BACKDATE_SECONDS) ||
	    !X509_gmtime_adj(X509_getm_notAfter(cert), VALID_SECONDS) ||
	    !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					(const unsigned char *)common_name, (int)cn_len, -1, 0) ||
	    !X509_set_issuer_name(cert, name))
		return -ENOMEM;
	/* Without an end-entity mark, chain verifiers of other stacks refuse the leaf (CaUsedAsEndEntity). */
	if ((rc = set_serial(cert)) || (rc = add_sans(cert, hosts, n_hosts)) ||
	    (rc = add_extension(cert, NID_basic_constraints, "critical,CA:FALSE")) ||
	    (rc = add_extension(cert, NID_key_usage, "critical,digitalSignature")) ||
	    (rc = add_extension(cert, NID_ext_key_usage, "serverAuth")) ||
	    (rc = add_extension(cert, NID_subject_key_identifier, "hash")))
		return rc;
	return X509_sign(cert, key, EVP_sha256()) > 0 ? 0 : -ENOMEM;
}

static int write_pem(const char *path, BIO *pem, mode_t mode)
{
	char *data;
	long n = BIO_get_mem_data(pem, &data);

	return n > 0 ? file_write_atomic(path, data, (size_t)n, mode) : -ENOMEM;
}

int tls_cert_generate(const char *cert_path, const char *key_path, const char *common_name,
		      const char *const *hosts, size_t n_hosts)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	BIO *cert_pem = BIO_new(BIO_s_mem());
	BIO *key_pem = BIO_new(BIO_s_secmem());
	int rc = -ENOMEM;

	if (!key || !cert || !cert_pem || !key_pem)
		goto out;
	rc = fill(cert, key, common_name, hosts, n_hosts);
	if (rc)
		goto out;
	rc = -ENOMEM;
	if (!PEM_write_bio_X509(cert_pem, cert) ||
	    !PEM_write_bio_PKCS8PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL))
		goto out;
	/* The key first: a certificate without its key is worse than the reverse, since the pin that
	 * edges get is the certificate's. */
	rc = write_pem(key_path, key_pem, 0600);
	if (!rc)
		rc = write_pem(cert_path, cert_pem, 0644);
out:
	BIO_free(key_pem);
	BIO_free(cert_pem);
	X509_free(cert);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return rc;
}
