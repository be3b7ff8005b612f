// SPDX-License-Identifier: MIT
/* Frames of server-sent events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>

#include "api/routes/stream.h"

static const char *text_of(struct evbuffer *buf)
{
	evbuffer_add(buf, "", 1);
	return (const char *)evbuffer_pullup(buf, -1);
}

static void a_frame_is_an_event_its_data_and_a_blank_line(void **state)
{
	struct evbuffer *out = evbuffer_new();

	sse_frame(out, "stats", "{\"a\":1}");
	sse_frame(out, "x", "one\ntwo");
	assert_string_equal(text_of(out),
			    "event: stats\ndata: {\"a\":1}\n\nevent: x\ndata: one\ndata: two\n\n");
	evbuffer_free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_an_event_its_data_and_a_blank_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
