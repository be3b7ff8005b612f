// SPDX-License-Identifier: MIT
/* The options that make an envelope of caps. */
#include "cli/cap_options.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *option, *key;
	unsigned long long max;
	bool bytes; /* may have a unit */
} options[] = {
	{"bandwidth-in-bps", "bandwidth_in_bps", INT64_MAX, true},
	{"bandwidth-out-bps", "bandwidth_out_bps", INT64_MAX, true},
	{"bandwidth-in-burst", "bandwidth_in_burst", INT64_MAX, true},
	{"bandwidth-out-burst", "bandwidth_out_burst", INT64_MAX, true},
	{"new-connections-per-sec", "new_connections_per_sec", UINT32_MAX, false},
	{"new-connections-burst", "new_connections_burst", UINT32_MAX, false},
	{"concurrent-connections", "concurrent_connections", UINT32_MAX, false},
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

/* "10M" is 10 * 1024 * 1024. */
static bool parse_bytes(const char *text, unsigned long long max, unsigned long long *out)
{
	static const char units[] = "KMGT";
	size_t n = strlen(text);
	const char *unit = n ? strchr(units, text[n - 1]) : NULL;
	char digits[32];
	unsigned shift;

	if (!unit)
		return parse_u64(text, 0, max, out);
	if (n > sizeof(digits))
		return false;
	memcpy(digits, text, n - 1);
	digits[n - 1] = '\0';
	shift = 10 * (unsigned)(unit - units + 1);
	if (!parse_u64(digits, 0, max >> shift, out))
		return false;
	*out <<= shift;
	return true;
}

int cap_options(const struct cli_args *a, json_t *limit, unsigned *n)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const char *text = args_option(a, options[i].option);
		unsigned long long value;

		if (!text)
			continue;
		if (!*text) {
			json_object_del(limit, options[i].key);
			continue;
		}
		if (!(options[i].bytes ? parse_bytes(text, options[i].max, &value)
				       : parse_u64(text, 0, options[i].max, &value)))
			return usage_error(a, "invalid value '%s' for '--%s'", text,
					   options[i].option);
		json_object_set_new(limit, options[i].key, json_integer((json_int_t)value));
		if (n)
			++*n;
	}
	return EXIT_OK;
}

bool cap_options_given(const struct cli_args *a)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (args_option(a, options[i].option))
			return true;
	return false;
}
