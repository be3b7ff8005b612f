// SPDX-License-Identifier: MIT
/* Connections of a listener: what they may ask for together, and how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/event.h>

#include "api/http/conn.h"
#include "api/http/listener.h"
#include "lib/base/log.h"

#define BODY	(16u << 20)
#define READERS (HTTP_OUTPUT_MAX / BODY + 2)

static struct event_base *base;
static struct http_listener *listener;
static union addr at;
static char *body;
static unsigned requests, left;
static struct http_conn *waiting;

static void on_left(void *arg)
{
	left++;
	waiting = NULL;
}

/* "/wait" is answered by the test, everything else with a large body that takes no memory. */
static void on_call(struct http_conn *c, void *arg)
{
	struct evbuffer *out;

	requests++;
	if (!strcmp(http_conn_head(c)->target, "/wait")) {
		waiting = c;
		http_conn_on_left(c, on_left, NULL);
		return;
	}
	out = evbuffer_new();
	evbuffer_add_reference(out, body, BODY, NULL, NULL);
	http_conn_answer(c, 200, NULL, 0, out, false);
	evbuffer_free(out);
}

static int set_up(void **state)
{
	log_init("test", "off");
	body = calloc(1, BODY);
	base = event_base_new();
	at = (union addr){.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	listener =
		http_listener_new(&(struct http_listener_config){.base = base, .on_call = on_call});
	assert_int_equal(http_listen(listener, &at, &at), 0);
	requests = left = 0;
	return 0;
}

static int tear_down(void **state)
{
	http_listener_free(listener);
	event_base_loop(base, EVLOOP_NONBLOCK);
	event_base_free(base);
	free(body);
	return 0;
}

static int ask(const char *path)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
	unsigned before = requests;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, &at.sa, addr_len(&at)), 0);
	assert_int_equal(write(fd, text, (size_t)n), n);
	for (int i = 0; i < 1000 && requests == before; i++)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(requests, before + 1);
	return fd;
}

/* Reads until there is nothing more for a while; how much there was, or less than nothing at the end. */
static size_t read_all(int fd)
{
	static char junk[1 << 20];
	size_t sum = 0;

	for (int quiet = 0; quiet < 200;) {
		ssize_t n = recv(fd, junk, sizeof(junk), MSG_DONTWAIT);

		event_base_loop(base, EVLOOP_NONBLOCK);
		if (n > 0) {
			sum += (size_t)n;
			quiet = 0;
		} else {
			quiet++;
			usleep(500);
		}
		if (n == 0)
			break;
	}
	return sum;
}

static void readers_that_do_not_read_make_room(void **state)
{
	int fd[READERS];
	size_t dropped = 0;

	for (size_t i = 0; i < READERS; i++)
		fd[i] = ask("/large");
	assert_true(read_all(fd[READERS - 1]) > BODY);
	for (size_t i = 0; i < READERS - 1; i++)
		dropped += read_all(fd[i]) < BODY;
	/* The oldest, and no more than are needed. */
	assert_in_range(dropped, 1, 3);
	for (size_t i = 0; i < READERS; i++)
		close(fd[i]);
}

static void a_client_that_leaves_is_told_of_once(void **state)
{
	const struct linger reset = {.l_onoff = 1};
	int fd = ask("/wait");

	assert_non_null(waiting);
	/* Of an end alone nobody knows whether the other direction is read. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	for (int i = 0; i < 1000 && !left; i++)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(left, 1);
	fd = ask("/wait");
	http_listener_free(listener);
	assert_int_equal(left, 2);
	close(fd);
	listener = NULL;
}

static void whoever_has_said_all_waits_for_the_answer(void **state)
{
	int fd = ask("/wait");
	struct evbuffer *out = evbuffer_new();

	shutdown(fd, SHUT_WR);
	read_all(fd);
	assert_int_equal(left, 0);
	assert_non_null(waiting);
	evbuffer_add(out, "late", 4);
	http_conn_answer(waiting, 200, NULL, 0, out, false);
	evbuffer_free(out);
	assert_true(read_all(fd) > 4);
	/* There is no next request, and no connection any more. */
	assert_int_equal(recv(fd, &(char){0}, 1, MSG_DONTWAIT), 0);
	close(fd);
}

static void an_answer_that_comes_late_is_sent(void **state)
{
	int fd = ask("/wait");
	struct evbuffer *out = evbuffer_new();
	size_t n;

	evbuffer_add_printf(out, "late");
	http_conn_answer(waiting, 200, NULL, 0, out, false);
	evbuffer_free(out);
	n = read_all(fd);
	assert_true(n > 4);
	assert_int_equal(left, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(readers_that_do_not_read_make_room, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_client_that_leaves_is_told_of_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(whoever_has_said_all_waits_for_the_answer, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_answer_that_comes_late_is_sent, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
