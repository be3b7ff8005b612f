/* SPDX-License-Identifier: MIT */
/* Ports as the file writes them: "8000-8009" or "80". */
#ifndef PORTUNUS_STANDALONE_SPAN_TEXT_H
#define PORTUNUS_STANDALONE_SPAN_TEXT_H

#include <stdbool.h>

struct port_span {
	unsigned first, last;
};

/* Blanks around the numbers are fine. False: no ports 1..65535 in ascending order. */
bool span_parse(const char *text, struct port_span *out);

#endif
