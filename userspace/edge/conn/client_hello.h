/* SPDX-License-Identifier: MIT */
/* The first message of TLS: whether bytes are one, and which server name it asks for. */
#ifndef PORTUNUS_EDGE_CONN_CLIENT_HELLO_H
#define PORTUNUS_EDGE_CONN_CLIENT_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A ClientHello may be spread over so many records, and have so many bytes with their headers. */
#define HELLO_RECORDS_MAX 16
#define HELLO_BYTES_MAX	  65536
#define HELLO_NAME_MAX	  253
#define HELLO_ALPN_MAX	  63

enum hello_verdict {
	HELLO_MORE,    /* so far it may be one: the rest is missing */
	HELLO_WHOLE,   /* it is one, and all of it is there */
	HELLO_NOT_TLS, /* these first bytes begin no TLS record of a handshake */
	HELLO_MALFORMED,
	HELLO_TOO_LARGE, /* more records or bytes than are looked at */
};

/* What is read of one. */
struct client_hello {
	bool has_name;
	/* The server name, in lower case and without a final dot. "" when it is longer than any name can
	 * be, or has other bytes than printable ASCII: it leads nowhere. */
	char name[HELLO_NAME_MAX + 1];
	char alpn[HELLO_ALPN_MAX + 1]; /* the protocols, with commas between them, for the log */
};

/*
 * Looks at the first @len bytes of a connection. Fills in @out for HELLO_WHOLE. Bytes behind the
 * ClientHello are not looked at. As long as it answers HELLO_MORE a call costs no more than the headers
 * of 16 records. Pure.
 */
enum hello_verdict client_hello_parse(const uint8_t *bytes, size_t len, struct client_hello *out);

/* The verdict in a word, for the log. */
const char *hello_verdict_text(enum hello_verdict verdict);

#endif
