// SPDX-License-Identifier: MIT
/* The enrolment URI: what is accepted can be written, and read again as the same. */
#include "lib/tls/enroll_uri.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct enroll_uri a, b;
	char out[1024];

	if (!enroll_uri_parse(text, &a)) {
		/* A '&' cannot be in a code that was read, so nothing needs escaping. */
		if (enroll_uri_write(&a, out, sizeof(out)) < 0 || enroll_uri_parse(out, &b) ||
		    memcmp(&a, &b, sizeof(a)))
			abort();
	}
	free(text);
	return 0;
}
