/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SERVER_CERTIFICATE_H
#define PORTUNUS_SERVER_CERTIFICATE_H

#include <stddef.h>

/*
 * Makes sure that the control listener has a certificate. Where there is none, one is made:
 * self-signed, for this host's name, localhost, its loopback addresses and the host of
 * @advertised ("host:port" or NULL); <data_dir>/.portunus-autocert marks it as ours. One of ours
 * that does not name the advertised host is backed up and made anew, which every edge's pin then
 * fails: that is logged. An operator's certificate is never touched. Returns 0, or -errno with @why.
 */
int certificate_ensure(const char *data_dir, const char *cert_path, const char *key_path,
		       const char *advertised, char *why, size_t why_size);

#endif
