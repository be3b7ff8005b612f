// SPDX-License-Identifier: MIT
/* What checks say and hear: a rule's texts as bytes, the prefix piece by piece, a talk on a real socket. */
#include "edge/target/health.h"
#include "edge/target/talk.h"
#include "selftests/unit/rig.h"

static struct talk_script script(const char *send, const char *expect)
{
	struct rule r = {.talk = {.send = (char *)send, .expect = (char *)expect}};
	struct talk_script s = {0};

	assert_int_equal(talk_script_of(&r, &s), send || expect);
	return s;
}

static void test_script(void **state)
{
	struct talk_script s = script("A\\r\\n\\0", "\\xff"), none;
	struct rule r = {.talk.tls = true};

	assert_int_equal(s.n_send, 4);
	assert_memory_equal(s.send, "A\r\n\0", 4);
	assert_int_equal(s.n_expect, 1);
	assert_int_equal(s.expect[0], 0xff);
	assert_true(talk_script_of(&r, &none));
	assert_int_equal(none.n_send + none.n_expect, 0);
	r.talk.tls = false;
	r.talk.port = 5;
	assert_false(talk_script_of(&r, &none));
}

static void test_prefix(void **state)
{
	const struct talk_script s = script(NULL, "+PONG");

	assert_int_equal(talk_matches(&s, (const uint8_t *)"", 0), 0);
	assert_int_equal(talk_matches(&s, (const uint8_t *)"+PO", 3), 0);
	assert_int_equal(talk_matches(&s, (const uint8_t *)"+PONG", 5), 1);
	assert_int_equal(talk_matches(&s, (const uint8_t *)"+PONG\r\n", 7), 1);
	assert_int_equal(talk_matches(&s, (const uint8_t *)"-", 1), -1);
	assert_int_equal(talk_matches(&s, (const uint8_t *)"+PONy", 5), -1);
}

struct talked {
	struct loop loop;
	struct talk_env env;
	struct io io; /* that the socket is registered with at first, as a dial's */
	int peer;
	int calls, result;
} __attribute__((aligned(64)));

static void ignore(struct io *io, unsigned slot, uint32_t events)
{
}

static void on_done(void *arg, int result)
{
	struct talked *t = arg;

	t->calls++;
	t->result = result;
}

static bool is_done(void *arg)
{
	return ((struct talked *)arg)->calls;
}

static void open_talk(struct talked *t, const struct talk_script *s, unsigned ms)
{
	int pair[2];

	memset(t, 0, sizeof(*t));
	assert_int_equal(loop_init(&t->loop), 0);
	t->loop.now_ns = clock_mono_ns();
	t->io.event = ignore;
	t->env.loop = &t->loop;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	t->peer = pair[1];
	assert_int_equal(loop_add(&t->loop, pair[0], &t->io, 0, IO_STREAM), 0);
	assert_int_equal(talk_start(&t->env,
				    &(struct talk_want){
					    .fd = pair[0],
					    .script = s,
					    .host = "a",
					    .deadline_ns = t->loop.now_ns + ms * NS_PER_MS,
					    .done = on_done,
					    .arg = t,
				    }),
			 0);
	assert_int_equal(t->calls, 0);
}

static void close_talk(struct talked *t)
{
	assert_int_equal(t->calls, 1);
	if (t->peer >= 0)
		close(t->peer);
	loop_close(&t->loop);
}

static void test_asked_and_answered(void **state)
{
	const struct talk_script s = script("PING", "+PONG");
	struct talked t;
	char got[8];

	open_talk(&t, &s, 5000);
	rig_spin(&t.loop, 5);
	assert_int_equal(read(t.peer, got, sizeof(got)), 4);
	assert_int_equal(write(t.peer, "+PO", 3), 3);
	rig_spin(&t.loop, 5);
	assert_int_equal(t.calls, 0);
	assert_int_equal(write(t.peer, "NG\r\n", 4), 4);
	assert_true(rig_until(&t.loop, 2000, is_done, &t));
	assert_int_equal(t.result, 0);
	/* It hangs up, whatever has not been read. */
	assert_true(read(t.peer, got, sizeof(got)) <= 0);
	close_talk(&t);
}

static void test_other_ends(void **state)
{
	const struct talk_script s = script(NULL, "220 "), tls = {.tls = true};
	struct talked t;

	open_talk(&t, &s, 5000);
	assert_int_equal(write(t.peer, "22", 2), 2);
	close(t.peer);
	t.peer = -1;
	assert_true(rig_until(&t.loop, 2000, is_done, &t));
	assert_int_equal(t.result, HEALTH_HUNG_UP);
	close_talk(&t);

	open_talk(&t, &s, 5000);
	assert_int_equal(write(t.peer, "554 ", 4), 4);
	assert_true(rig_until(&t.loop, 2000, is_done, &t));
	assert_int_equal(t.result, HEALTH_UNEXPECTED);
	close_talk(&t);

	open_talk(&t, &s, 20);
	assert_true(rig_until(&t.loop, 2000, is_done, &t));
	assert_int_equal(t.result, HEALTH_SILENT);
	close_talk(&t);

	open_talk(&t, &s, 5000);
	talk_abandon_all(&t.env);
	assert_int_equal(t.result, -ECANCELED);
	close_talk(&t);
	/* Without a context for it there is no TLS, which is no fault of the target. */
	memset(&t, 0, sizeof(t));
	assert_int_equal(loop_init(&t.loop), 0);
	t.env.loop = &t.loop;
	assert_int_equal(talk_start(&t.env,
				    &(struct talk_want){.fd = dup(0), .script = &tls, .host = "a"}),
			 -ENOMEM);
	loop_close(&t.loop);
}

/* What is there already when the time is over counts. */
static void test_late_look(void **state)
{
	const struct talk_script s = script(NULL, "220");
	struct talked t;

	open_talk(&t, &s, 30);
	assert_int_equal(write(t.peer, "220", 3), 3);
	usleep(60000);
	assert_true(rig_until(&t.loop, 2000, is_done, &t));
	assert_int_equal(t.result, 0);
	close_talk(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_script),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_asked_and_answered),
		cmocka_unit_test(test_other_ends),
		cmocka_unit_test(test_late_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
