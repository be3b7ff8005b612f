// SPDX-License-Identifier: MIT
/* Any bytes as a header of the PROXY protocol: one verdict, however the bytes come in pieces. */
#include "edge/conn/proxy_header.c"
#include "edge/conn/proxy_parse.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was understood is written again and understood as the same. */
static void check_ends(const struct proxy_said *said)
{
	uint8_t out[PROXY_HEADER_MAX];
	struct proxy_said again;

	for (int version = RULE_PROXY_V1; version <= RULE_PROXY_V2; version++) {
		size_t len = proxy_header((enum rule_proxy)version, &said->client, &said->local,
					  NULL, out);

		if (proxy_parse(out, len, &again) != PROXY_WHOLE || again.len != len)
			abort();
		if (again.known && (!addr_equal(&again.client, &said->client) ||
				    !addr_equal(&again.local, &said->local)))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_said said, part;
	enum proxy_verdict v;

	if (size > 2 * PROXY_PARSE_MAX)
		return 0;
	v = proxy_parse(data, size, &said);
	if (v == PROXY_WHOLE && (said.len > size || said.len > PROXY_PARSE_MAX || !said.len))
		abort();
	if (v == PROXY_MORE && size >= PROXY_PARSE_MAX)
		abort();
	for (size_t i = 0; i < size; i++) {
		/* A copy of just that length: a byte read behind it is found. */
		uint8_t *copy = malloc(i + 1);
		enum proxy_verdict now;

		memcpy(copy, data, i);
		copy = realloc(copy, i ? i : 1);
		now = proxy_parse(copy, i, &part);
		free(copy);
		/* Once decided it stays so, and nothing is decided differently later. */
		if (now != PROXY_MORE && (now != v || (v == PROXY_WHOLE && part.len != said.len)))
			abort();
	}
	if (v == PROXY_WHOLE && said.known)
		check_ends(&said);
	return 0;
}
