// SPDX-License-Identifier: MIT
/* BLAKE3 as far as rule ids need it: the first eight bytes of the hash of a text. */
#include "standalone/blake3.h"

#include <string.h>

#define BLOCK 64u
#define CHUNK 1024u /* the leaves of the tree */

enum flag { CHUNK_START = 1 << 0, CHUNK_END = 1 << 1, PARENT = 1 << 2, ROOT = 1 << 3 };

static const uint32_t iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* Where each word of a block stands in the next round. */
static const uint8_t order[16] = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};

static uint32_t right(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static void mix(uint32_t v[16], unsigned a, unsigned b, unsigned c, unsigned d, const uint32_t m[2])
{
	static const unsigned turn[2][2] = {{16, 12}, {8, 7}};

	for (unsigned i = 0; i < 2; i++) {
		v[a] += v[b] + m[i];
		v[d] = right(v[d] ^ v[a], turn[i][0]);
		v[c] += v[d];
		v[b] = right(v[b] ^ v[c], turn[i][1]);
	}
}

/* One block into the chaining value @cv. */
static void compress(uint32_t cv[8], const uint32_t block[16], uint64_t counter, unsigned len,
		     unsigned flags)
{
	uint32_t v[16], m[16], next[16];

	memcpy(v, cv, 8 * sizeof(v[0]));
	memcpy(v + 8, iv, 4 * sizeof(v[0]));
	v[12] = (uint32_t)counter;
	v[13] = (uint32_t)(counter >> 32);
	v[14] = len;
	v[15] = flags;
	memcpy(m, block, sizeof(m));
	for (unsigned round = 0; round < 7; round++) {
		for (unsigned i = 0; i < 4; i++)
			mix(v, i, 4 + i, 8 + i, 12 + i, m + 2 * i);
		for (unsigned i = 0; i < 4; i++)
			mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4,
			    m + 8 + 2 * i);
		for (unsigned i = 0; i < 16; i++)
			next[i] = m[order[i]];
		memcpy(m, next, sizeof(m));
	}
	for (unsigned i = 0; i < 8; i++)
		cv[i] = v[i] ^ v[i + 8];
}

static void read_block(const uint8_t *data, size_t len, uint32_t out[16])
{
	memset(out, 0, 16 * sizeof(out[0]));
	for (size_t i = 0; i < len; i++)
		out[i / 4] |= (uint32_t)data[i] << 8 * (i % 4);
}

static void hash_chunk(const uint8_t *data, size_t len, uint64_t index, unsigned root,
		       uint32_t cv[8])
{
	unsigned flags = CHUNK_START;
	uint32_t block[16];

	memcpy(cv, iv, sizeof(iv));
	do {
		size_t n = len < BLOCK ? len : BLOCK;

		if (n == len)
			flags |= CHUNK_END | root;
		read_block(data, n, block);
		compress(cv, block, index, (unsigned)n, flags);
		flags = 0;
		data += n;
		len -= n;
	} while (len);
}

/* The left side of a node is the largest full tree that leaves something for the right one. */
static void hash_tree(const uint8_t *data, size_t len, uint64_t index, unsigned root,
		      uint32_t cv[8])
{
	size_t left = CHUNK;
	uint32_t both[16];

	if (len <= CHUNK) {
		hash_chunk(data, len, index, root, cv);
		return;
	}
	while (left * 2 < len)
		left *= 2;
	hash_tree(data, left, index, 0, both);
	hash_tree(data + left, len - left, index + left / CHUNK, 0, both + 8);
	memcpy(cv, iv, sizeof(iv));
	compress(cv, both, 0, BLOCK, PARENT | root);
}

uint64_t blake3_u64(const void *data, size_t len)
{
	uint32_t cv[8];

	hash_tree(data, len, 0, ROOT, cv);
	return (uint64_t)cv[1] << 32 | cv[0];
}
