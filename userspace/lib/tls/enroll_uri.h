/* SPDX-License-Identifier: MIT */
/* The URI that carries everything an edge needs to enrol. */
#ifndef PORTUNUS_LIB_TLS_ENROLL_URI_H
#define PORTUNUS_LIB_TLS_ENROLL_URI_H

#include <stddef.h>
#include <stdint.h>

#define ENROLL_HOST_MAX 256 /* with the terminator */
#define ENROLL_CODE_MAX 257 /* the contract's 256 characters and the terminator */

/* portunus://host:port/enroll?pin=sha256:<64 hex>&code=<code> */
struct enroll_uri {
	char host[ENROLL_HOST_MAX]; /* an IPv6 literal without its brackets */
	char code[ENROLL_CODE_MAX];
	uint8_t pin[32]; /* SHA-256 of the server's leaf certificate */
	uint16_t port;
};

/*
 * Reads a URI by the contract's rules: exact scheme and path, pairs split at '&', unknown keys ignored,
 * the last of a key's pairs counts, no percent-decoding. Returns NULL, or a static text that says
 * what is wrong. Any thread.
 */
const char *enroll_uri_parse(const char *text, struct enroll_uri *out);

/* Writes the URI, with the brackets of an IPv6 literal. Returns its length, or -ENOSPC. */
int enroll_uri_write(const struct enroll_uri *uri, char *out, size_t size);

/*
 * Splits "host:port" (an advertised endpoint): IPv6 has to be bracketed and loses its brackets, the port
 * is 1–65535 in plain digits, the host is not empty and free of blanks, slashes and control bytes.
 * @host has ENROLL_HOST_MAX bytes. Returns NULL or a static text.
 */
const char *endpoint_split(const char *text, size_t len, char *host, uint16_t *port);

#endif
