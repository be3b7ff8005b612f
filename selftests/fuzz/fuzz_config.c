// SPDX-License-Identifier: MIT
/* Any bytes as a configuration file: nothing set on an error, and values within their bounds. */
#include "lib/config.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_error err = {0};
	char *text = NULL, *other = NULL;
	int64_t number = 3;
	bool flag = false;
	const struct config_key keys[] = {
		{"control_listen", CONFIG_STRING, 1, 64, &text},
		{"t", CONFIG_STRING, 0, 16, &other},
		{"n", CONFIG_INT, -100, 100000, &number},
		{"b", CONFIG_BOOL, 0, 0, &flag},
	};

	if (config_read((const char *)data, size, keys, sizeof(keys) / sizeof(keys[0]), &err)) {
		if (text || other || number != 3 || flag || err.line < 1 || !err.message[0] ||
		    !utf8_valid(err.message, strlen(err.message)))
			abort();
		return 0;
	}
	if (number < -100 || number > 100000)
		abort();
	if (text && (strlen(text) < 1 || strlen(text) > 64 || !utf8_valid(text, strlen(text))))
		abort();
	if (other && (strlen(other) > 16 || !utf8_valid(other, strlen(other))))
		abort();
	free(text);
	free(other);
	return 0;
}
