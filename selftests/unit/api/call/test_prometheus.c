// SPDX-License-Identifier: MIT
/* The text format of Prometheus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>

#include "api/call/histogram.h"
#include "api/call/prometheus.h"

static const char *text_of(struct evbuffer *buf)
{
	evbuffer_add(buf, "", 1);
	return (const char *)evbuffer_pullup(buf, -1);
}

static void a_family_begins_with_its_first_row(void **state)
{
	struct evbuffer *out = evbuffer_new();
	struct prom_family none = {out, "none", "gauge", "Nothing.", false};
	struct prom_family f = {out, "f_total", "counter", "Something.", false};

	prom_row(&f, (const struct prom_label[]){{"a", "x"}, {"b", "q\"\\\nz"}}, 2, 7);
	prom_row(&f, (const struct prom_label[]){{"a", "y"}}, 1, 0.25);
	prom_row(&f, NULL, 0, 9007199254740991.0);
	assert_false(none.begun);
	assert_string_equal(text_of(out), "# HELP f_total Something.\n"
					  "# TYPE f_total counter\n"
					  "f_total{a=\"x\",b=\"q\\\"\\\\\\nz\"} 7\n"
					  "f_total{a=\"y\"} 0.25\n"
					  "f_total 9007199254740991\n");
	evbuffer_free(out);
}

static void a_histogram_counts_upwards(void **state)
{
	struct evbuffer *out = evbuffer_new();
	struct histogram h = {.n = 0};
	const char *text;

	histogram_add(&h, 0.001);
	histogram_add(&h, 0.003);
	histogram_add(&h, 100);
	prom_histogram(out, "d_seconds", "Time.", &h);
	text = text_of(out);
	assert_non_null(strstr(text, "# TYPE d_seconds histogram\n"
				     "d_seconds_bucket{le=\"0.001\"} 1\n"
				     "d_seconds_bucket{le=\"0.0025\"} 1\n"
				     "d_seconds_bucket{le=\"0.005\"} 2\n"));
	assert_non_null(strstr(text, "d_seconds_bucket{le=\"10\"} 2\n"
				     "d_seconds_bucket{le=\"+Inf\"} 3\n"
				     "d_seconds_sum 100.004\nd_seconds_count 3\n"));
	evbuffer_free(out);
}

static void labels_are_utf_8_whatever_they_are(void **state)
{
	struct evbuffer *out = evbuffer_new();
	struct prom_family f = {out, "f", "gauge", "F.", true};

	prom_row(&f, (const struct prom_label[]){{"a", "\xff节\xe8"}}, 1, 1);
	assert_string_equal(text_of(out), "f{a=\"?节?\"} 1\n");
	evbuffer_free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_family_begins_with_its_first_row),
		cmocka_unit_test(a_histogram_counts_upwards),
		cmocka_unit_test(labels_are_utf_8_whatever_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
