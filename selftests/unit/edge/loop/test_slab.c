// SPDX-License-Identifier: MIT
/* The slab: aligned, zeroed, reused, and never two objects in one place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "edge/loop/slab.h"

#define MANY 2000 /* several chunks */

static void test_objects(void **state)
{
	static const size_t sizes[] = {1, 64, 65, 192, 1000, 65472};
	struct slab s;
	uint8_t **o = calloc(MANY, sizeof(*o));

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		unsigned n = sizes[k] > 1000 ? 5 : MANY;

		slab_init(&s, sizes[k]);
		assert_true(s.size >= sizes[k] && s.size % 64 == 0);
		for (unsigned i = 0; i < n; i++) {
			o[i] = slab_alloc(&s);
			assert_non_null(o[i]);
			assert_int_equal((uintptr_t)o[i] % 64, 0);
			for (size_t b = 0; b < sizes[k]; b++)
				assert_int_equal(o[i][b], 0);
			memset(o[i], 1 + (int)(i % 250), s.size);
		}
		assert_int_equal(s.in_use, n);
		for (unsigned i = 0; i < n; i++)
			for (size_t b = 0; b < s.size; b += 63)
				assert_int_equal(o[i][b], 1 + i % 250);
		slab_close(&s);
	}
	free(o);
}

static void test_reuse(void **state)
{
	struct slab s;
	void *a, *b, *chunk;

	slab_init(&s, 100);
	a = slab_alloc(&s);
	chunk = s.chunks;
	memset(a, 0xff, s.size);
	slab_free(&s, a);
	b = slab_alloc(&s);
	assert_ptr_equal(a, b);
	for (size_t i = 0; i < s.size; i++)
		assert_int_equal(((uint8_t *)b)[i], 0);
	for (int i = 0; i < 100000; i++)
		slab_free(&s, slab_alloc(&s));
	assert_ptr_equal(s.chunks, chunk);
	assert_int_equal(s.in_use, 1);
	slab_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_reuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
