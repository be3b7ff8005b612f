// SPDX-License-Identifier: MIT
/* One direction of a relay between real sockets: copy, bulk and back, ends of every kind. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "edge/relay/relay.h"
#include "selftests/unit/rig.h"

/* The test plays the sender (in) and the receiver (out) of direction @h between @src and @dst. */
struct bench {
	struct relay_env env;
	struct direction h;
	int in, src, dst, out;
	uint64_t sent, got;
	bool went_bulk;
	enum relay_result last;
};

static void open_bench(struct bench *b)
{
	/* Room for several full reads at once. */
	const int room = 4 << 20;
	int up[2], down[2];

	memset(b, 0, sizeof(*b));
	b->env.buf = malloc(RELAY_COPY_BYTES);
	rig_tcp_pair(up);
	rig_tcp_pair(down);
	b->in = up[0];
	b->src = up[1];
	b->dst = down[0];
	b->out = down[1];
	setsockopt(b->src, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(b->in, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	b->h.flags = DIR_READABLE | DIR_WRITABLE;
}

static void close_bench(struct bench *b)
{
	int fds[] = {b->in, b->src, b->dst, b->out};

	relay_drop(&b->env, &b->h);
	for (int i = 0; i < 4; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	assert_int_equal(b->env.pool.n_lent, 0);
	pipe_pool_trim(&b->env.pool, 0);
	free(b->env.buf);
}

static enum relay_result relay(struct bench *b)
{
	size_t budget = SIZE_MAX;

	return relay_pump(&b->env, &b->h, b->src, b->dst, clock_mono_ns(), &budget);
}

/* As the event loop would: both flags set again. */
static enum relay_result pump(struct bench *b)
{
	b->h.flags |= DIR_READABLE | DIR_WRITABLE;
	b->last = relay(b);
	b->went_bulk |= b->h.flags & DIR_BULK;
	return b->last;
}

/* Sends @n more bytes and relays until they have all arrived. */
static void move(struct bench *b, uint64_t n)
{
	const uint64_t total = b->sent + n;

	for (int i = 0; i < 20000 && b->got < total; i++) {
		rig_write(b->in, &b->sent, total);
		pump(b);
		rig_read(b->out, &b->got, 1 << 20);
	}
	assert_int_equal(b->got, total);
	assert_int_equal(b->h.bytes, total);
}

static void test_copy(void **state)
{
	struct bench b;

	open_bench(&b);
	assert_int_equal(pump(&b), RELAY_BLOCKED);
	assert_false(b.h.flags & DIR_READABLE);
	for (int i = 1; i <= 50; i++) {
		move(&b, (uint64_t)i * 37);
		assert_false(b.h.flags & DIR_BULK);
		assert_int_equal(b.h.holds, HOLDS_NOTHING);
	}
	assert_int_equal(b.env.spliced, 0);
	assert_int_equal(b.env.copied, b.sent);
	close_bench(&b);
}

static void test_bulk_and_back(void **state)
{
	struct bench b;

	open_bench(&b);
	move(&b, 4 << 20);
	assert_true(b.went_bulk);
	assert_true(b.env.spliced > b.env.copied);
	/* Small again: after four small splices it copies, and holds no pipe. */
	for (int i = 0; i < 6; i++)
		move(&b, 100);
	assert_false(b.h.flags & DIR_BULK);
	assert_int_equal(b.env.pool.n_lent, 0);
	close_bench(&b);
}

static void test_no_splice(void **state)
{
	struct bench b;

	open_bench(&b);
	b.env.no_splice = true;
	move(&b, 4 << 20);
	assert_int_equal(b.env.spliced, 0);
	close_bench(&b);

	/* No pipe to be had: copies all the same. */
	open_bench(&b);
	b.env.pool.retry_at_ns = UINT64_MAX;
	move(&b, 4 << 20);
	assert_int_equal(b.env.spliced, 0);
	close_bench(&b);
}

/* A receiver that takes nothing: what was read is held, and nothing more is read. */
static void stop_receiver(struct bench *b, bool bulk)
{
	uint64_t held;

	if (bulk)
		move(b, 2 << 20);
	b->env.no_splice = !bulk;
	for (int i = 0; i < 2000; i++) {
		rig_write(b->in, &b->sent, UINT64_MAX);
		if (pump(b) == RELAY_BLOCKED && b->h.holds)
			break;
	}
	assert_int_equal(b->h.holds, bulk ? HOLDS_PIPE : HOLDS_LEFTOVER);
	assert_false(b->h.flags & DIR_WRITABLE);
	held = b->h.bytes;
	b->h.flags |= DIR_READABLE;
	assert_int_equal(relay(b), RELAY_BLOCKED);
	assert_int_equal(b->h.bytes, held);
}

static void test_leftover(void **state)
{
	struct bench b;

	for (int bulk = 0; bulk <= 1; bulk++) {
		open_bench(&b);
		stop_receiver(&b, bulk);
		move(&b, 100);
		assert_int_equal(b.h.holds, HOLDS_NOTHING);
		/* Dropped with bytes in it. */
		stop_receiver(&b, bulk);
		close_bench(&b);
	}
}

/* Done only when all that came before the FIN is with the receiver's socket. */
static void test_fin(void **state)
{
	struct bench b;

	for (int bulk = 0; bulk <= 1; bulk++) {
		open_bench(&b);
		stop_receiver(&b, bulk);
		shutdown(b.in, SHUT_WR);
		b.h.flags |= DIR_FIN;
		for (int i = 0; i < 20000 && pump(&b) != RELAY_DONE; i++)
			rig_read(b.out, &b.got, 1 << 20);
		assert_int_equal(b.last, RELAY_DONE);
		assert_true(b.h.flags & DIR_EOF);
		assert_false(b.h.flags & DIR_RESET);
		assert_int_equal(b.h.bytes, b.sent);
		rig_read(b.out, &b.got, SIZE_MAX);
		assert_int_equal(b.got, b.sent);
		close_bench(&b);
	}
}

/* A FIN that is in the queue behind a short read, its event seen before. */
static void test_short_read_before_fin(void **state)
{
	struct bench b;

	open_bench(&b);
	rig_write(b.in, &b.sent, 100);
	shutdown(b.in, SHUT_WR);
	usleep(2000);
	b.h.flags |= DIR_FIN;
	assert_int_equal(relay(&b), RELAY_DONE);
	assert_int_equal(b.h.bytes, 100);
	close_bench(&b);
}

/* The sender's RST: what lies in our queue before it is relayed first. */
static void test_sender_reset(void **state)
{
	struct bench b;

	for (int bulk = 0; bulk <= 1; bulk++) {
		open_bench(&b);
		if (bulk)
			move(&b, 2 << 20);
		rig_write(b.in, &b.sent, b.sent + 30000);
		usleep(5000);
		rig_reset(b.in);
		b.in = -1;
		usleep(2000);
		b.h.flags |= DIR_UNSURE;
		while (pump(&b) == RELAY_AGAIN)
			;
		assert_int_equal(b.last, RELAY_DONE);
		assert_true(b.h.flags & DIR_RESET);
		assert_int_equal(b.h.bytes, b.sent);
		rig_read(b.out, &b.got, SIZE_MAX);
		assert_int_equal(b.got, b.sent);
		close_bench(&b);
	}
}

static void test_receiver_broken(void **state)
{
	struct bench b;

	for (int bulk = 0; bulk <= 1; bulk++) {
		open_bench(&b);
		if (bulk)
			move(&b, 2 << 20);
		rig_reset(b.out);
		b.out = -1;
		usleep(2000);
		rig_write(b.in, &b.sent, b.sent + 300000);
		usleep(2000);
		assert_int_equal(pump(&b), RELAY_BROKEN);
		close_bench(&b);
	}
}

static void *send_on(void *arg)
{
	static const uint8_t zeros[65536];
	struct bench *b = arg;

	while (send(b->in, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

static void *read_on(void *arg)
{
	struct bench *b = arg;
	uint8_t *buf = malloc(1 << 20);

	while (recv(b->out, buf, 1 << 20, 0) > 0)
		;
	free(buf);
	return NULL;
}

/* A turn is bounded, however fast both peers are. */
static void test_budget(void **state)
{
	struct bench b;
	pthread_t sender, reader;
	bool again = false;

	open_bench(&b);
	fcntl(b.in, F_SETFL, 0);
	fcntl(b.out, F_SETFL, 0);
	pthread_create(&sender, NULL, send_on, &b);
	pthread_create(&reader, NULL, read_on, &b);
	for (int i = 0; i < 3000 && !again; i++) {
		uint64_t before = b.h.bytes;

		again = pump(&b) == RELAY_AGAIN;
		assert_true(b.h.bytes - before <= (1 << 20) + PIPE_BYTES);
		assert_true(!again || (b.h.flags & DIR_READABLE));
		usleep(b.last == RELAY_BLOCKED ? 500 : 0);
	}
	assert_true(again);
	shutdown(b.src, SHUT_RDWR);
	shutdown(b.dst, SHUT_RDWR);
	rig_reset(b.src);
	rig_reset(b.dst);
	b.src = b.dst = -1;
	pthread_join(sender, NULL);
	pthread_join(reader, NULL);
	close_bench(&b);
}

/*
 * An urgent byte: splice(2) never gets past it, and answers EAGAIN for ever. So the direction must
 * copy there, and the byte is relayed in line with the others.
 */
static void test_urgent_in_bulk(void **state)
{
	static const int on = 1;
	struct bench b;
	uint8_t urgent;
	uint64_t total;

	open_bench(&b);
	move(&b, 2 << 20);
	assert_true(b.h.flags & DIR_BULK);
	setsockopt(b.src, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	total = b.sent + 300000;
	rig_write(b.in, &b.sent, total);
	rig_pattern(&urgent, 1, b.sent);
	assert_int_equal(send(b.in, &urgent, 1, MSG_OOB), 1);
	b.sent++;
	rig_write(b.in, &b.sent, total + 200000);
	usleep(5000);
	b.h.flags |= DIR_UNSURE; /* as EPOLLPRI sets it */
	for (int i = 0; i < 200 && b.got < b.sent; i++) {
		pump(&b);
		rig_read(b.out, &b.got, 1 << 20);
		usleep(100);
	}
	assert_int_equal(b.got, b.sent);
	close_bench(&b);
}

/* Bytes behind an urgent one, then the FIN: splice(2) answers 0 at the mark, as at the end. */
static void test_fin_behind_urgent(void **state)
{
	static const int on = 1;
	struct bench b;
	uint8_t urgent;

	open_bench(&b);
	setsockopt(b.src, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	move(&b, 2 << 20);
	assert_true(b.h.flags & DIR_BULK);
	rig_write(b.in, &b.sent, b.sent + 300000);
	rig_pattern(&urgent, 1, b.sent);
	assert_int_equal(send(b.in, &urgent, 1, MSG_OOB), 1);
	b.sent++;
	rig_write(b.in, &b.sent, b.sent + 200000);
	shutdown(b.in, SHUT_WR);
	usleep(5000);
	b.h.flags |= DIR_UNSURE | DIR_FIN; /* as EPOLLPRI and EPOLLRDHUP set them */
	for (int i = 0; i < 200 && pump(&b) != RELAY_DONE; i++) {
		rig_read(b.out, &b.got, 1 << 20);
		usleep(100);
	}
	rig_read(b.out, &b.got, 1 << 20);
	assert_int_equal(b.last, RELAY_DONE);
	assert_false(b.h.flags & DIR_RESET);
	assert_int_equal(b.got, b.sent);
	close_bench(&b);
}

/* Answers splice(2) with @err from now on, for this process, as a container's seccomp profile does. */
static void refuse_splice(unsigned err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_splice, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = sizeof(code) / sizeof(*code), .filter = code};

	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

/* A process that may not splice copies, and says so. */
static void test_splice_refused(void **state)
{
	static const unsigned errors[] = {EPERM, ENOSYS, EACCES};

	for (unsigned i = 0; i < 3; i++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			struct bench b;

			open_bench(&b);
			refuse_splice(errors[i]);
			move(&b, 4 << 20);
			_exit(b.got == b.sent && b.env.no_splice ? 0 : 1);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_bulk_and_back),
		cmocka_unit_test(test_no_splice),
		cmocka_unit_test(test_leftover),
		cmocka_unit_test(test_fin),
		cmocka_unit_test(test_short_read_before_fin),
		cmocka_unit_test(test_sender_reset),
		cmocka_unit_test(test_receiver_broken),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_urgent_in_bulk),
		cmocka_unit_test(test_fin_behind_urgent),
		cmocka_unit_test(test_splice_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
