// SPDX-License-Identifier: MIT
/* What the end of one leg means for the other: nothing that was relayed is lost. */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "selftests/unit/rig_conn.h"

/* One relayed connection: the test plays the client and the target. */
struct pair {
	struct rig_conn r;
	int listener, client, target;
	uint64_t sent, got; /* by the target, by the client */
	int end;	    /* of the client's reading, as rig_read() says */
	size_t share;	    /* the client reads so much a millisecond … */
	uint64_t paced_ns;  /* … since then … */
	uint64_t paced_at;  /* … when it had so much */
};

static bool connected(void *arg)
{
	struct pair *p = arg;
	int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		p->target = fd;
	return p->target >= 0;
}

static bool reset_by_target(void *arg)
{
	return rig_ended(&((struct pair *)arg)->r, END_TARGET_RESET);
}

static bool idle_ended(void *arg)
{
	return rig_ended(&((struct pair *)arg)->r, END_IDLE);
}

static bool half_closed_ended(void *arg)
{
	return rig_ended(&((struct pair *)arg)->r, END_HALF_CLOSED);
}

/* Waits until @over; how long it has been then since @begun_ns, in ms. */
static uint64_t ends_after_ms(struct pair *p, bool (*over)(void *arg), uint64_t begun_ns)
{
	assert_true(rig_until(&p->r.loop, 8000, over, p));
	return (clock_mono_ns() - begun_ns) / NS_PER_MS;
}

static void open_pair(struct pair *p)
{
	uint16_t port;

	memset(p, 0, sizeof(*p));
	rig_conn_open(&p->r);
	p->listener = rig_listen(&port, 8);
	fcntl(p->listener, F_SETFL, O_NONBLOCK);
	rig_conn_rule(&p->r, rig_rule(1, 1, 1, &port));
	p->target = -1;
	p->end = 1;
	p->client = rig_client(&p->r);
	assert_true(rig_until(&p->r.loop, 1000, connected, p));
	rig_spin(&p->r.loop, 2);
}

static void close_pair(struct pair *p)
{
	if (p->client >= 0)
		close(p->client);
	if (p->target >= 0)
		close(p->target);
	close(p->listener);
	rig_conn_close(&p->r);
}

/* From now on the client reads @share bytes in each millisecond. */
static void set_pace(struct pair *p, size_t share)
{
	p->share = share;
	p->paced_ns = clock_mono_ns();
	p->paced_at = p->got;
}

/*
 * The client reads its share, and what it is behind with when the test did not run for a while: a
 * pace that falls with the machine's load would be a pause to the edge. Whether its stream has ended.
 */
static bool client_reads(void *arg)
{
	struct pair *p = arg;
	uint64_t ms = (clock_mono_ns() - p->paced_ns) / NS_PER_MS + 1;
	uint64_t due = p->paced_at + ms * p->share;

	if (due > p->got)
		p->end = rig_read(p->client, &p->got, (size_t)(due - p->got));
	return p->end != 1;
}

static bool client_reads_all(void *arg)
{
	struct pair *p = arg;

	return client_reads(p) || p->got >= p->sent;
}

/* The target has sent all it can: the edge and the client's socket are full. */
static void fill(struct pair *p, uint64_t total)
{
	int unacked = 1;

	for (int i = 0; i < 200 && (p->sent < total || unacked); i++) {
		rig_write(p->target, &p->sent, total);
		rig_spin(&p->r.loop, 5);
		ioctl(p->target, SIOCOUTQ, &unacked);
	}
	assert_int_equal(p->sent, total);
	assert_int_equal(unacked, 0);
}

static void test_half_close(void **state)
{
	struct pair p;
	uint64_t up = 0, down = 0, at = 0;

	open_pair(&p);
	rig_write(p.client, &up, 3000);
	shutdown(p.client, SHUT_WR);
	rig_spin(&p.r.loop, 20);
	assert_int_equal(rig_read(p.target, &at, 10000), 0);
	assert_int_equal(at, 3000);
	assert_int_equal(rig_ended(&p.r, END_CLOSED), 0);
	rig_write(p.target, &down, 5000);
	rig_spin(&p.r.loop, 20);
	p.sent = down;
	set_pace(&p, 65536);
	assert_true(rig_until(&p.r.loop, 1000, client_reads_all, &p));
	close(p.target);
	p.target = -1;
	p.sent = UINT64_MAX;
	assert_true(rig_until(&p.r.loop, 1000, client_reads, &p));
	assert_int_equal(p.end, 0);
	assert_int_equal(p.got, 5000);
	rig_spin(&p.r.loop, 2);
	assert_int_equal(rig_ended(&p.r, END_CLOSED), 1);
	assert_int_equal(target_sum(p.r.service->target[0]).written_in, 3000);
	assert_int_equal(target_sum(p.r.service->target[0]).written_out, 5000);
	close_pair(&p);
}

/* The target's last bytes and then its RST: the client gets both, in this order. */
static void test_reset_after_data(void **state)
{
	struct pair p;

	open_pair(&p);
	fill(&p, 3 << 20);
	rig_reset(p.target);
	p.target = -1;
	set_pace(&p, 32768);
	assert_true(rig_until(&p.r.loop, 5000, client_reads, &p));
	assert_int_equal(p.got, 3 << 20);
	assert_int_equal(p.end, -ECONNRESET);
	assert_int_equal(rig_ended(&p.r, END_TARGET_RESET), 1);
	close_pair(&p);
}

/* The same with a FIN before the RST, as a server does that closes with a request unread. */
static void test_reset_after_fin(void **state)
{
	struct pair p;

	open_pair(&p);
	fill(&p, 2 << 20);
	shutdown(p.target, SHUT_WR);
	rig_spin(&p.r.loop, 20);
	rig_reset(p.target);
	p.target = -1;
	/* Too slow for the 2 s that a stall may last, but it never stalls. */
	set_pace(&p, 600);
	rig_until(&p.r.loop, 2600, client_reads, &p);
	assert_int_equal(p.end, 1);
	set_pace(&p, 65536);
	assert_true(rig_until(&p.r.loop, 5000, client_reads, &p));
	assert_int_equal(p.got, 2 << 20);
	close_pair(&p);
}

/* The client still sends when the target has closed: the target's answer arrives all the same. The
 * second write meets a socket that the first one had reset, before the event of that is seen. */
static void test_target_closed_client_sends(void **state)
{
	struct pair p;
	uint64_t up = 0, at = 0;

	open_pair(&p);
	/* Makes room for several full reads in a turn. */
	for (int i = 0; i < 200; i++) {
		rig_write(p.client, &up, 8 << 20);
		rig_spin(&p.r.loop, 1);
		rig_read(p.target, &at, SIZE_MAX);
	}
	assert_int_equal(at, 8 << 20);
	fill(&p, 400000);
	close(p.target);
	p.target = -1;
	rig_spin(&p.r.loop, 20);
	rig_write(p.client, &up, up + 400000);
	rig_spin(&p.r.loop, 5);
	set_pace(&p, 32768);
	assert_true(rig_until(&p.r.loop, 5000, client_reads, &p));
	assert_int_equal(p.got, 400000);
	rig_spin(&p.r.loop, 50);
	assert_int_equal(rig_ended(&p.r, END_TARGET_RESET), 1);
	close_pair(&p);
}

/* A reset leg's bytes wait in the edge for a slow client: its acknowledgments are progress. */
static void test_reset_slow_reader(void **state)
{
	const uint64_t total = 12 << 20;
	struct pair p;
	int small = 65536, unacked = 1;

	open_pair(&p);
	setsockopt(p.client, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (int i = 0; i < 60; i++) {
		rig_write(p.target, &p.sent, total);
		rig_spin(&p.r.loop, 5);
	}
	/* No more than what has reached the edge can be asked for. */
	ioctl(p.target, SIOCOUTQ, &unacked);
	rig_reset(p.target);
	p.target = -1;
	set_pace(&p, 150);
	rig_until(&p.r.loop, 3500, client_reads, &p);
	assert_int_equal(p.end, 1);
	set_pace(&p, 65536);
	assert_true(rig_until(&p.r.loop, 5000, client_reads, &p));
	assert_true(p.got >= p.sent - (uint64_t)unacked);
	close_pair(&p);
}

/* A client that has stopped reading is given up 2 s after the target's RST. */
static void test_reset_stopped_reader(void **state)
{
	struct pair p;
	uint64_t begun_ns, ms;

	open_pair(&p);
	fill(&p, 3 << 20);
	begun_ns = clock_mono_ns();
	rig_reset(p.target);
	p.target = -1;
	ms = ends_after_ms(&p, reset_by_target, begun_ns);
	assert_true(ms >= 1800 && ms < 5000);
	close_pair(&p);
}

/* The client's RST reaches the target behind the client's bytes. */
static void test_client_reset(void **state)
{
	struct pair p;
	uint64_t up = 0, at = 0;
	int end = 1;

	open_pair(&p);
	rig_write(p.client, &up, 100000);
	rig_spin(&p.r.loop, 10);
	rig_reset(p.client);
	p.client = -1;
	for (int i = 0; i < 100 && end == 1; i++) {
		end = rig_read(p.target, &at, 1 << 20);
		rig_spin(&p.r.loop, 5);
	}
	assert_int_equal(end, -ECONNRESET);
	assert_int_equal(at, 100000);
	assert_int_equal(rig_ended(&p.r, END_CLIENT_RESET), 1);
	close_pair(&p);
}

/* A cap in each direction, and others who have used up more than there is. */
static void use_up(struct pair *p, uint64_t rate, uint64_t in, uint64_t out)
{
	const struct rate_limit l = {.has = 1u << LIMIT_IN_BPS | 1u << LIMIT_OUT_BPS,
				     .value = {[LIMIT_IN_BPS] = rate, [LIMIT_OUT_BPS] = rate}};
	struct envelope *e = p->r.service->admission.by[ADMIT_RULE];

	p->r.loop.now_ns = clock_mono_ns();
	envelope_set(e, &l, p->r.loop.now_ns);
	bucket_book(&e->bytes[ADMIT_IN], rate + in, p->r.loop.now_ns);
	bucket_book(&e->bytes[ADMIT_OUT], rate + out, p->r.loop.now_ns);
}

/* The target takes nothing, the edge holds bytes for it, and there are more. The target's bytes wait for
 * their turn when it resets: the client gets them, and the RST. */
static void test_capped_reset(void **state)
{
	struct pair p;
	uint64_t up = 0;

	open_pair(&p);
	for (int i = 0; i < 50; i++) {
		rig_write(p.client, &up, 64 << 20);
		rig_spin(&p.r.loop, 2);
	}
	assert_int_equal(LIST_FIRST(&p.r.env.all)->direction[CLIENT].holds != HOLDS_NOTHING, 1);
	use_up(&p, 1000000, 300000, 600000);
	fill(&p, 100000);
	assert_true(LIST_FIRST(&p.r.env.all)->permit->direction[ADMIT_OUT].bytes);
	rig_reset(p.target);
	p.target = -1;
	p.share = 65536;
	assert_true(rig_until(&p.r.loop, 3000, client_reads, &p));
	assert_int_equal(p.got, 100000);
	assert_int_equal(p.end, -ECONNRESET);
	assert_int_equal(rig_ended(&p.r, END_TARGET_RESET), 1);
	close_pair(&p);
}

static void test_both_reset(void **state)
{
	struct pair p;

	open_pair(&p);
	rig_reset(p.client);
	rig_reset(p.target);
	p.client = p.target = -1;
	rig_spin(&p.r.loop, 10);
	assert_int_equal(LIST_EMPTY(&p.r.env.all), 1);
	close_pair(&p);
}

/* The same with time-outs in the rule, in seconds; 0: none. */
static void open_timed_pair(struct pair *p, unsigned idle, unsigned half_close)
{
	open_pair(p);
	p->r.service->rule->idle_timeout_secs = idle;
	p->r.service->rule->half_close_timeout_secs = half_close;
	close(p->client);
	close(p->target);
	p->target = -1;
	rig_spin(&p->r.loop, 5);
	p->client = rig_client(&p->r);
	assert_true(rig_until(&p->r.loop, 1000, connected, p));
}

static void test_idle_timeout(void **state)
{
	struct pair p;
	uint64_t begun_ns = clock_mono_ns(), ms;

	open_timed_pair(&p, 1, 0);
	ms = ends_after_ms(&p, idle_ended, begun_ns);
	assert_true(ms >= 950 && ms < 4000);
	close_pair(&p);
}

/* What moves counts, not what is written: a slow reader makes its socket writable seldom. */
static void test_idle_slow_reader(void **state)
{
	struct pair p;

	open_timed_pair(&p, 2, 0);
	for (int i = 0; i < 60; i++) {
		rig_write(p.target, &p.sent, 64 << 20);
		rig_spin(&p.r.loop, 2);
	}
	set_pace(&p, 150);
	rig_until(&p.r.loop, 5000, client_reads, &p);
	assert_int_equal(p.end, 1);
	assert_int_equal(rig_ended(&p.r, END_IDLE), 0);
	/* One that has stopped reading moves nothing. */
	assert_true(rig_until(&p.r.loop, 8000, idle_ended, &p));
	close_pair(&p);
}

/* The loop stood still while bytes came, and its timers are first: the bytes wait in the socket. */
static void test_idle_late_look(void **state)
{
	struct pair p;
	uint64_t up = 0, at = 0;

	open_timed_pair(&p, 1, 0);
	rig_spin(&p.r.loop, 5);
	usleep(1100000);
	rig_write(p.client, &up, 100);
	p.r.loop.now_ns = clock_mono_ns();
	timer_fire_due(&p.r.loop.timers, p.r.loop.now_ns);
	assert_int_equal(rig_ended(&p.r, END_IDLE), 0);
	rig_spin(&p.r.loop, 20);
	assert_int_equal(rig_read(p.target, &at, 1000), 1);
	assert_int_equal(at, 100);
	close_pair(&p);
}

/* After a FIN the other direction has its own limit, which each byte that arrives starts anew. */
static void test_half_close_timeout(void **state)
{
	struct pair p;
	uint64_t down = 0, begun_ns, ms;

	open_timed_pair(&p, 0, 2);
	rig_spin(&p.r.loop, 2100);
	assert_int_equal(atomic_load(&p.r.env.n), 1);
	shutdown(p.client, SHUT_WR);
	rig_spin(&p.r.loop, 1000);
	begun_ns = clock_mono_ns();
	rig_write(p.target, &down, 100);
	ms = ends_after_ms(&p, half_closed_ended, begun_ns);
	assert_true(ms >= 1900 && ms < 5000);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_reset_after_data),
		cmocka_unit_test(test_reset_after_fin),
		cmocka_unit_test(test_target_closed_client_sends),
		cmocka_unit_test(test_reset_slow_reader),
		cmocka_unit_test(test_reset_stopped_reader),
		cmocka_unit_test(test_client_reset),
		cmocka_unit_test(test_capped_reset),
		cmocka_unit_test(test_both_reset),
		cmocka_unit_test(test_idle_timeout),
		cmocka_unit_test(test_idle_slow_reader),
		cmocka_unit_test(test_idle_late_look),
		cmocka_unit_test(test_half_close_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
