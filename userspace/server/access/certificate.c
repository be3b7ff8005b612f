// SPDX-License-Identifier: MIT
/* The control listener's certificate: made once, and then left alone. */
#include "server/access/certificate.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "lib/base/atomic_file.h"
#include "lib/base/log.h"
#include "lib/tls/enroll_uri.h"
#include "lib/tls/tls.h"

/*
 * The marker's content while the pair is being made. A start that finds it makes the pair anew: nobody
 * has seen the half that may be there.
 */
#define UNFINISHED     "(unfinished)\n"
#define MARKER_MAX     4096
#define HOST_NAME_SIZE 256

static void marker_path(const char *data_dir, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/.portunus-autocert", data_dir);
}

/* Whether there is a marker, and whether it says that the pair is not finished. */
static bool has_marker(const char *data_dir, bool *unfinished)
{
	char path[PATH_MAX], *text;
	size_t len;

	marker_path(data_dir, path);
	if (file_read(path, MARKER_MAX, &text, &len))
		return false;
	*unfinished = len == strlen(UNFINISHED) && !memcmp(text, UNFINISHED, len);
	free(text);
	return true;
}

static void own_name(char name[HOST_NAME_SIZE])
{
	strcpy(name, "localhost");
	if (!gethostname(name, HOST_NAME_SIZE))
		name[HOST_NAME_SIZE - 1] = '\0';
}

static int generate(const char *cert, const char *key, const char *host)
{
	char name[HOST_NAME_SIZE];
	const char *hosts[] = {name, "localhost", "127.0.0.1", "::1", host};

	own_name(name);
	return tls_cert_generate(cert, key, name, hosts, sizeof(hosts) / sizeof(hosts[0]));
}

static int make(const char *data_dir, const char *cert, const char *key, const char *host,
		char *why, size_t why_size)
{
	char name[HOST_NAME_SIZE], marker[PATH_MAX], line[ENROLL_HOST_MAX + 2];
	int err;

	marker_path(data_dir, marker);
	own_name(name);
	snprintf(line, sizeof(line), "%s\n", *host ? host : name);
	err = file_write_atomic(marker, UNFINISHED, strlen(UNFINISHED), 0600);
	if (!err)
		err = generate(cert, key, host);
	if (!err)
		err = file_write_atomic(marker, line, strlen(line), 0600);
	if (err) {
		snprintf(why, why_size, "cannot make the certificate %s: %s", cert, strerror(-err));
		return err;
	}
	log_event(LOG_INFO, "certificate.generated", LOGF_STR("path", cert),
		  LOGF_STR("host", *host ? host : name));
	return 0;
}

static void beside(const char *path, const char *ending, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s%s", path, ending);
}

void certificate_next_path(const char *cert_path, char *path)
{
	beside(cert_path, ".next", path);
}

bool certificate_has_next(const char *cert_path)
{
	char next[PATH_MAX];

	beside(cert_path, ".next", next);
	return !access(next, F_OK);
}

static int check_pair(const char *cert, const char *key, char why[TLS_ERROR_SIZE])
{
	struct ssl_ctx_st *probe = NULL;
	int err = tls_server_ctx(cert, key, NULL, &probe, why);

	SSL_CTX_free(probe);
	return err;
}

/* Whether the next certificate has its key: the next one, or else the one in use. */
static int check_next(const char *cert_path, const char *key_path, char why[TLS_ERROR_SIZE])
{
	char cert[PATH_MAX], key[PATH_MAX];

	beside(cert_path, ".next", cert);
	beside(key_path, ".next", key);
	return check_pair(cert, access(key, F_OK) ? key_path : key, why);
}

int certificate_make_next(const char *cert_path, const char *key_path, const char *advertised,
			  char why[TLS_ERROR_SIZE])
{
	char cert[PATH_MAX], key[PATH_MAX], host[ENROLL_HOST_MAX] = "";
	uint16_t port;

	if (certificate_has_next(cert_path))
		return check_next(cert_path, key_path, why);
	if (advertised && endpoint_split(advertised, strlen(advertised), host, &port))
		host[0] = '\0';
	beside(cert_path, ".next", cert);
	beside(key_path, ".next", key);
	/* The key is written before the certificate, which therefore says that both are there. */
	return generate(cert, key, host);
}

/* Keeps the old file, then takes the next one. */
static int step(const char *path)
{
	char next[PATH_MAX], old[PATH_MAX];

	beside(path, ".next", next);
	beside(path, ".old", old);
	unlink(old);
	if (link(path, old) && errno != ENOENT)
		return -errno;
	return rename(next, path) ? -errno : 0;
}

int certificate_switch(const char *cert_path, const char *key_path, char why[TLS_ERROR_SIZE])
{
	char next[PATH_MAX];
	int err;

	if (!certificate_has_next(cert_path))
		return 0;
	err = check_next(cert_path, key_path, why);
	if (err)
		return err;
	/* The key first: a certificate that is still there as .next tells a start to go on. */
	beside(key_path, ".next", next);
	err = access(next, F_OK) ? 0 : step(key_path);
	if (!err)
		err = step(cert_path);
	if (err)
		snprintf(why, TLS_ERROR_SIZE, "%s", strerror(-err));
	return err;
}

/*
 * A switch that a crash has broken off: the key in place is the next certificate's, and not that of the
 * certificate in place. Without that a next certificate is one that an operator has just put there.
 */
static int finish_switch(const char *cert_path, const char *key_path)
{
	char next[PATH_MAX], next_key[PATH_MAX], why[TLS_ERROR_SIZE];

	beside(cert_path, ".next", next);
	beside(key_path, ".next", next_key);
	if (access(cert_path, F_OK) || access(next, F_OK) || !access(next_key, F_OK) ||
	    !check_pair(cert_path, key_path, why) || check_pair(next, key_path, why))
		return 0;
	return step(cert_path);
}

/* One of the two files is gone. A new pair would lock out every edge that knows the old one. */
static int half_a_pair(const char *there, const char *gone, char *why, size_t why_size)
{
	snprintf(why, why_size,
		 "%s is there, but %s is not: restore it from a backup. To have a new pair made "
		 "move %s away; every edge then has to be enrolled again",
		 there, gone, there);
	return -ENOENT;
}

int certificate_ensure(const char *data_dir, const char *cert_path, const char *key_path,
		       const char *advertised, char *why, size_t why_size)
{
	char host[ENROLL_HOST_MAX] = "";
	bool unfinished = false, ours = has_marker(data_dir, &unfinished), has_cert, has_key;
	struct stat st;
	uint16_t port;

	if (advertised && endpoint_split(advertised, strlen(advertised), host, &port))
		host[0] = '\0';
	if (finish_switch(cert_path, key_path))
		return half_a_pair(key_path, cert_path, why, why_size);
	has_cert = !stat(cert_path, &st);
	has_key = !stat(key_path, &st);
	if (unfinished || (!has_cert && !has_key))
		return make(data_dir, cert_path, key_path, host, why, why_size);
	if (!has_cert || !has_key)
		return has_cert ? half_a_pair(cert_path, key_path, why, why_size)
				: half_a_pair(key_path, cert_path, why, why_size);
	if (ours && host[0] && tls_cert_names_host(cert_path, host) == 0)
		log_event(LOG_INFO, "certificate.other_name", LOGF_STR("host", host),
			  LOGF_STR("path", cert_path),
			  LOGF_STR("advice", "nothing: edges know the certificate by its "
					     "fingerprint, so that it is kept"));
	return 0;
}

bool certificate_is_ours(const char *data_dir)
{
	bool unfinished;

	return has_marker(data_dir, &unfinished);
}

int64_t certificate_expiry(const char *cert_path)
{
	FILE *in = fopen(cert_path, "re");
	X509 *cert = in ? PEM_read_X509(in, NULL, NULL, NULL) : NULL;
	int64_t ends = 0;
	struct tm tm;

	if (cert && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1)
		ends = timegm(&tm);
	X509_free(cert);
	if (in)
		fclose(in);
	return ends;
}
