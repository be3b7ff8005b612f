// SPDX-License-Identifier: MIT
/* The credential bundle: any bytes in its place. */
#include "lib/tls/bundle.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[BUNDLE_ERROR_SIZE];
	struct bundle b;
	int rc = bundle_parse((const char *)data, size, &b, why);

	if (rc == 0 && (!b.client_name[0] || !b.server_endpoint[0] || !b.token[0]))
		abort();
	if (rc && !why[0])
		abort();
	return 0;
}
