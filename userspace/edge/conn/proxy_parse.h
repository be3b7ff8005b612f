/* SPDX-License-Identifier: MIT */
/* The header of the PROXY protocol that a load balancer in front of the edge sends: reading it. */
#ifndef PORTUNUS_EDGE_CONN_PROXY_PARSE_H
#define PORTUNUS_EDGE_CONN_PROXY_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/addr.h"

/* What both versions have to fit in: the specification has every receiver take so much of version 2 at once. */
#define PROXY_PARSE_MAX 536

enum proxy_verdict {
	PROXY_MORE,  /* so far it is the beginning of one */
	PROXY_WHOLE, /* there is one */
	PROXY_NONE,  /* it begins like something else */
	PROXY_BAD,   /* it begins as a header and is none */
};

/* What a header says. */
struct proxy_said {
	size_t len;		  /* of the header; what follows is the client's */
	bool known;		  /* it names the two ends */
	union addr client, local; /* the client's address, and the one that it has dialled */
};

/* Reads a header of version 1 or 2 from the first @size bytes of a stream. Pure. */
enum proxy_verdict proxy_parse(const uint8_t *data, size_t size, struct proxy_said *out);

#endif
