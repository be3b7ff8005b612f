// SPDX-License-Identifier: MIT
/* Secrets that we issue: making, hashing for storage, comparing. */
#include "lib/secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "lib/hex.h"

#define SECRET_BYTES 32

int secret_new(char out[SECRET_TEXT_SIZE])
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint8_t raw[SECRET_BYTES + 1];
	size_t n = 0;

	/* Up to 256 bytes come whole or not at all (getrandom(2)). */
	if (getrandom(raw, SECRET_BYTES, 0) != SECRET_BYTES)
		return errno ? -errno : -EIO;
	raw[SECRET_BYTES] = 0; /* completes the last group of three; its fourth digit is left out */
	for (size_t i = 0; i < sizeof(raw); i += 3) {
		uint32_t v = (uint32_t)raw[i] << 16 | (uint32_t)raw[i + 1] << 8 | raw[i + 2];

		for (int shift = 18; shift >= 0 && n < SECRET_TEXT_SIZE - 1; shift -= 6)
			out[n++] = alphabet[v >> shift & 63];
	}
	out[n] = '\0';
	OPENSSL_cleanse(raw, sizeof(raw));
	return 0;
}

void secret_hash(const char *secret, char out[SECRET_HASH_SIZE])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)secret, strlen(secret), digest);
	hex_write(digest, sizeof(digest), out);
}

bool secret_equal(const char *a, const char *b)
{
	size_t n;

	if (!a || !b)
		return false;
	n = strlen(a);
	return n == strlen(b) && CRYPTO_memcmp(a, b, n) == 0;
}
