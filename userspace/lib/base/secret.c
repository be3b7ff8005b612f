// SPDX-License-Identifier: MIT
/* Secrets that we issue: making, hashing for storage, comparing. */
#include "lib/base/secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/hex.h"

#define SECRET_BYTES 32

int secret_new(char out[SECRET_TEXT_SIZE])
{
	char text[SECRET_TEXT_SIZE + 1];
	uint8_t raw[SECRET_BYTES];

	/* Up to 256 bytes come whole or not at all (getrandom(2)). */
	if (getrandom(raw, SECRET_BYTES, 0) != SECRET_BYTES)
		return errno ? -errno : -EIO;
	EVP_EncodeBlock((unsigned char *)text, raw, SECRET_BYTES);
	/* Standard base64 to the alphabet of URLs; the last character is the padding. */
	for (size_t i = 0; i < SECRET_TEXT_SIZE - 1; i++)
		out[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
	out[SECRET_TEXT_SIZE - 1] = '\0';
	OPENSSL_cleanse(raw, sizeof(raw));
	OPENSSL_cleanse(text, sizeof(text));
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
