/* SPDX-License-Identifier: MIT */
/* The control listener's certificate: made once, and then left alone. */
#ifndef PORTUNUS_SERVER_ACCESS_CERTIFICATE_H
#define PORTUNUS_SERVER_ACCESS_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/tls/tls.h"

/*
 * Makes sure that the control listener has a certificate. Where there is none, one is made:
 * self-signed, for this host's name, localhost, its loopback addresses and the host of
 * @advertised ("host:port" or NULL); <data_dir>/.portunus-autocert marks it as ours. One that is there
 * is never changed: every enrolled edge knows the server by it. Returns 0, or -errno with @why.
 */
int certificate_ensure(const char *data_dir, const char *cert_path, const char *key_path,
		       const char *advertised, char *why, size_t why_size);

/*
 * A change that edges are told of before: the next pair lies beside the one in use, as *.next. Made by
 * certificate_make_next() (one that is there is kept); certificate_switch() puts it in the place of the old one,
 * which is kept as *.old. A next certificate without a next key goes with the key in use. A crash in between is
 * made good by certificate_ensure(). 0, also where nothing is left to be done; -EINVAL or -EPERM, with @why in
 * words, when the two files are no pair that could be served; another -errno.
 */
int certificate_make_next(const char *cert_path, const char *key_path, const char *advertised,
			  char why[TLS_ERROR_SIZE]);
int certificate_switch(const char *cert_path, const char *key_path, char why[TLS_ERROR_SIZE]);
bool certificate_has_next(const char *cert_path);
/* "<cert_path>.next"; @path has PATH_MAX bytes. */
void certificate_next_path(const char *cert_path, char *path);

/* Whether the pair in @data_dir was made by certificate_ensure(). */
bool certificate_is_ours(const char *data_dir);

/* When it ends, in seconds since 1970; 0 when that cannot be read. */
int64_t certificate_expiry(const char *cert_path);

#endif
