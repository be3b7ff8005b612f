// SPDX-License-Identifier: MIT
/* ULIDs: identifiers of clients and requests. */
#include "lib/base/ulid.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* Writes the low 5 * @n bits of @value, highest first. */
static void put_digits(uint64_t value, int n, char *out)
{
	while (n-- > 0) {
		out[n] = alphabet[value & 31];
		value >>= 5;
	}
}

int ulid_new(uint64_t unix_ms, char out[ULID_SIZE])
{
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return errno ? -errno : -EIO;
	put_digits(unix_ms & 0xffffffffffff, 10, out);
	put_digits(random[0], 8, out + 10);
	put_digits(random[1], 8, out + 18);
	out[ULID_SIZE - 1] = '\0';
	return 0;
}

bool ulid_valid(const char *text)
{
	return strlen(text) == ULID_SIZE - 1 && strspn(text, alphabet) == ULID_SIZE - 1 &&
	       text[0] <= '7';
}
