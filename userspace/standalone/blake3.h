/* SPDX-License-Identifier: MIT */
/* BLAKE3 as far as rule ids need it: the first eight bytes of the hash of a text. */
#ifndef PORTUNUS_STANDALONE_BLAKE3_H
#define PORTUNUS_STANDALONE_BLAKE3_H

#include <stddef.h>
#include <stdint.h>

/* The first eight bytes of BLAKE3 (no key) of @len bytes, as a little-endian number. Any thread. */
uint64_t blake3_u64(const void *data, size_t len);

#endif
