// SPDX-License-Identifier: MIT
/* The control listener's certificate: made once, renewed only when its names no longer fit. */
#include "server/certificate.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/atomic_file.h"
#include "lib/enroll_uri.h"
#include "lib/log.h"
#include "lib/tls.h"

static int make(const char *marker, const char *cert, const char *key, const char *host, char *why,
		size_t why_size)
{
	char name[256] = "localhost", line[ENROLL_HOST_MAX + 2];
	const char *hosts[] = {name, "localhost", "127.0.0.1", "::1", host};
	int err;

	if (!gethostname(name, sizeof(name)))
		name[sizeof(name) - 1] = '\0';
	err = tls_cert_generate(cert, key, name, hosts, sizeof(hosts) / sizeof(hosts[0]));
	snprintf(line, sizeof(line), "%s\n", *host ? host : name);
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

/* Moves both files aside. */
static int back_up(const char *cert, const char *key, char *why, size_t why_size)
{
	const char *const paths[] = {cert, key};

	for (int i = 0; i < 2; i++) {
		char copy[PATH_MAX];

		snprintf(copy, sizeof(copy), "%s.portunus.%lld.bak", paths[i],
			 (long long)time(NULL));
		if (rename(paths[i], copy)) {
			int err = -errno;

			snprintf(why, why_size, "cannot back up %s: %s", paths[i], strerror(-err));
			return err;
		}
	}
	log_event(LOG_WARN, "certificate.replaced", LOGF_STR("path", cert),
		  LOGF_STR("advice",
			   "every enrolled edge has to enrol again: its pin is of the old "
			   "certificate"));
	return 0;
}

int certificate_ensure(const char *data_dir, const char *cert_path, const char *key_path,
		       const char *advertised, char *why, size_t why_size)
{
	char marker[PATH_MAX], host[ENROLL_HOST_MAX] = "";
	struct stat st;
	uint16_t port;
	int err, covered;

	snprintf(marker, sizeof(marker), "%s/.portunus-autocert", data_dir);
	if (advertised && endpoint_split(advertised, strlen(advertised), host, &port))
		host[0] = '\0';
	if (stat(cert_path, &st) && stat(key_path, &st))
		return make(marker, cert_path, key_path, host, why, why_size);
	if (stat(marker, &st) || !host[0])
		return 0;
	covered = tls_cert_names_host(cert_path, host);
	if (covered != 0)
		return 0; /* it fits, or cannot be read, which the listener will say */
	err = back_up(cert_path, key_path, why, why_size);
	return err ? err : make(marker, cert_path, key_path, host, why, why_size);
}
