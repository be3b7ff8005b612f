// SPDX-License-Identifier: MIT
/* What the API writes and lets in: SSE frames, metrics rows, header checks, JSON bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "api/encode.h"
#include "api/guard.h"
#include "api/prometheus.h"
#include "api/sse.h"

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

/* Header lines as "Name: value" up to NULL. */
static const char *guard(bool http_1_1, const char *const *lines)
{
	struct evkeyvalq headers;
	const char *wrong;

	TAILQ_INIT(&headers);
	for (; *lines; lines++) {
		struct evkeyval *h = calloc(1, sizeof(*h));
		const char *colon = strstr(*lines, ": ");

		/* Not evhttp_add_header(): it refuses some of what arrives. */
		h->key = strndup(*lines, (size_t)(colon - *lines));
		h->value = strdup(colon + 2);
		TAILQ_INSERT_TAIL(&headers, h, next);
	}
	wrong = guard_headers(&headers, http_1_1);
	evhttp_clear_headers(&headers);
	return wrong;
}

#define GUARD(version, ...) guard(version, (const char *const[]){__VA_ARGS__, NULL})

static void honest_headers_pass(void **state)
{
	assert_null(GUARD(true, "Host: h", "Content-Length: 0"));
	assert_null(GUARD(true, "Host: h", "Transfer-Encoding: chunked", "X-y!: a\tb"));
	assert_null(GUARD(false, "Accept: */*"));
	assert_null(GUARD(true, "Host: h", "Content-Length: 123456789012345678"));
}

static void doubtful_headers_do_not(void **state)
{
	assert_non_null(GUARD(true, "Accept: x"));
	assert_non_null(GUARD(true, "Host: a", "host: b"));
	assert_non_null(GUARD(false, "Host: a", "Host: a"));
	assert_non_null(GUARD(true, "Host: h", "Content-Length: 1", "content-length: 1"));
	assert_non_null(GUARD(true, "Host: h", "Content-Length: 1, 1"));
	assert_non_null(GUARD(true, "Host: h", "Content-Length: -1"));
	assert_non_null(GUARD(true, "Host: h", "Content-Length: 0x10"));
	assert_non_null(GUARD(true, "Host: h", "Content-Length: "));
	assert_non_null(GUARD(true, "Host: h", "Content-Length: 1234567890123456789"));
	assert_non_null(GUARD(true, "Host: h", "Transfer-Encoding: xchunked"));
	assert_non_null(GUARD(true, "Host: h", "Transfer-Encoding: chunked, identity"));
	assert_non_null(GUARD(true, "Host: h", "Transfer-Encoding: chunked", "Content-Length: 1"));
	assert_non_null(
		GUARD(true, "Host: h", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"));
	assert_non_null(GUARD(true, "Host: h", "X y: 1"));
	assert_non_null(GUARD(true, "Host: h", "X: a\x01"));
	assert_non_null(GUARD(true, "Host: h", "X: a\x7f"));
}

struct fixture {
	struct fleet_client client;
	struct fleet_rule r;
	json_t *o;
};

static struct fixture fixture_of(const char *json, unsigned targets)
{
	struct fixture f = {.client = {.id = "01J9ZK8M3Q6S7T8V9W0X1Y2Z3A", .name = "edge-01"}};
	struct rule_error err;
	json_t *spec = json_loads(json, 0, NULL);

	f.r.rule = rule_parse(spec, &err);
	assert_non_null(f.r.rule);
	f.r.rule->id = 3;
	f.r.rule->owner = strdup("ops");
	f.r.state = FLEET_ACTIVE;
	f.r.created_ms = f.r.changed_ms = 1778236931120;
	if (targets) {
		f.r.figures = calloc(1, sizeof(*f.r.figures) + sizeof(struct target_figures));
		f.r.figures->bytes_in = 5000000000;
		f.r.figures->failovers = 4;
		f.r.figures->n_targets = 1;
		f.r.figures->targets[0] = (struct target_figures){.index = 1,
								  .failed = true,
								  .consecutive_failures = 3};
	}
	json_decref(spec);
	return f;
}

static void release(struct fixture *f)
{
	json_decref(f->o);
	rule_free(f->r.rule);
	free(f->r.figures);
}

#define MULTI                                                                                  \
	"{\"client\":\"edge-01\",\"listen_port\":80,\"targets\":[{\"host\":\"a\",\"port\":1}," \
	"{\"host\":\"b\",\"port\":2,\"priority\":4294967295}]}"
#define SINGLE "{\"client\":\"edge-01\",\"listen_port\":80,\"target_host\":\"a\",\"target_port\":1}"

static void times_are_rfc_3339(void **state)
{
	json_t *t = encode_time(1778236931007);

	assert_string_equal(json_string_value(t), "2026-05-08T10:42:11.007Z");
	json_decref(t);
	t = encode_time(0);
	assert_true(json_is_null(t));
	json_decref(t);
}

static void health_belongs_to_the_row_it_was_reported_for(void **state)
{
	struct fixture f = fixture_of(MULTI, 1);
	json_t *rows;

	f.r.client = &f.client;
	f.o = encode_rule(&f.r);
	rows = json_object_get(f.o, "targets");
	assert_true(json_is_null(json_object_get(json_array_get(rows, 0), "health")));
	assert_true(json_is_false(
		json_object_get(json_object_get(json_array_get(rows, 1), "health"), "healthy")));
	assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 1), "priority")),
			 4294967295);
	assert_null(json_object_get(f.o, "hedge_delay_ms"));
	release(&f);
}

static void stats_are_zeros_before_the_first_report(void **state)
{
	struct fixture f = fixture_of(MULTI, 0);

	f.r.client = &f.client;
	f.o = encode_stats(&f.r, STATS_PROTOCOL | STATS_PER_TARGET);
	assert_int_equal(json_integer_value(json_object_get(f.o, "bytes_in")), 0);
	assert_true(json_is_true(json_object_get(f.o, "stale")));
	assert_int_equal(json_array_size(json_object_get(f.o, "per_target")), 2);
	assert_true(json_is_null(json_object_get(f.o, "kernel")));
	release(&f);
}

static void a_single_target_has_no_failover_state(void **state)
{
	struct fixture f = fixture_of(SINGLE, 1);

	f.r.client = &f.client;
	f.r.figures->targets[0].index = 0;
	f.o = encode_stats(&f.r, STATS_PER_TARGET);
	assert_int_equal(json_integer_value(json_object_get(f.o, "bytes_in")), 5000000000);
	assert_int_equal(json_integer_value(json_object_get(f.o, "target_failovers_total")), 0);
	assert_int_equal(json_array_size(json_object_get(f.o, "per_target")), 0);
	assert_null(json_object_get(f.o, "protocol"));
	json_decref(f.o);
	f.o = encode_rule(&f.r);
	assert_true(json_is_null(
		json_object_get(json_array_get(json_object_get(f.o, "targets"), 0), "health")));
	release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_an_event_its_data_and_a_blank_line),
		cmocka_unit_test(a_family_begins_with_its_first_row),
		cmocka_unit_test(honest_headers_pass),
		cmocka_unit_test(doubtful_headers_do_not),
		cmocka_unit_test(times_are_rfc_3339),
		cmocka_unit_test(health_belongs_to_the_row_it_was_reported_for),
		cmocka_unit_test(stats_are_zeros_before_the_first_report),
		cmocka_unit_test(a_single_target_has_no_failover_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
