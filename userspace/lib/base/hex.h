/* SPDX-License-Identifier: MIT */
/* Bytes as hexadecimal digits. */
#ifndef PORTUNUS_LIB_BASE_HEX_H
#define PORTUNUS_LIB_BASE_HEX_H

#include <openssl/crypto.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Writes @len bytes as 2 * @len lower-case digits and a terminator. */
static inline void hex_write(const uint8_t *bytes, size_t len, char *out)
{
	OPENSSL_buf2hexstr_ex(out, 2 * len + 1, NULL, bytes, (long)len, '\0');
	for (; *out; out++)
		*out |= 0x20; /* OpenSSL's are capitals; a digit has this bit */
}

/* Reads 2 * @len digits of either case. Returns 0, or -1 at anything else; looks no further. */
static inline int hex_read(const char *text, uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = OPENSSL_hexchar2int((unsigned char)text[2 * i]);
		int low = high < 0 ? -1 : OPENSSL_hexchar2int((unsigned char)text[2 * i + 1]);

		if (low < 0)
			return -1;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

/* The same of a text that is nothing else. */
static inline int hex_read_whole(const char *text, uint8_t *bytes, size_t len)
{
	return strlen(text) == 2 * len ? hex_read(text, bytes, len) : -1;
}

#endif
