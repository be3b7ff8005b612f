/* SPDX-License-Identifier: MIT */
/* Blocks of addresses. */
#ifndef PORTUNUS_LIB_BASE_CIDR_H
#define PORTUNUS_LIB_BASE_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/addr.h"

/* A block of addresses: "192.0.2.0/24", "2001:db8::/32", or one address. */
struct cidr {
	uint8_t bytes[16];
	uint8_t family; /* 4 or 6 */
	uint8_t bits;
};

/* 0, or -EINVAL: no address, too many bits, or bits set behind the prefix. */
int cidr_parse(const char *text, struct cidr *out);
/* An IPv4-mapped IPv6 address counts as IPv4. */
bool cidr_has(const struct cidr *c, const union addr *a);

#define CIDR_TEXT_MAX 52

/* The one spelling of a block: "10.0.0.0/8", "192.0.2.7". Returns @buf. */
char *cidr_text(const struct cidr *c, char *buf, size_t size);
/* By family, first address, and then the larger block first, as qsort() wants it. */
int cidr_compare(const void *a, const void *b);
/* The bytes of an address as they stand in a block, and its family: 4 (also of a mapped address) or 6. */
uint8_t cidr_bytes(const union addr *a, uint8_t bytes[16]);

#endif
