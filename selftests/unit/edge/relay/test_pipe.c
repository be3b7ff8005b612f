// SPDX-License-Identifier: MIT
/* The pipe pool: never pools a pipe that holds data, backs off when refused, gives back. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "edge/relay/pipe.h"
#include "selftests/unit/rig.h"

#define S(n) ((uint64_t)(n)*NS_PER_SEC)

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void test_lend_and_reuse(void **state)
{
	struct pipe_pool pool = {0};
	struct pipe *a = pipe_get(&pool, S(1)), *b;

	assert_non_null(a);
	assert_true(a->size >= PIPE_BYTES);
	assert_int_equal(fcntl(a->rd, F_GETPIPE_SZ), a->size);
	assert_true(fcntl(a->rd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(pool.n_lent, 1);
	pipe_put(&pool, a);
	assert_int_equal(pool.n_lent, 0);
	assert_int_equal(pool.n_idle, 1);
	b = pipe_get(&pool, S(1));
	assert_ptr_equal(a, b);
	pipe_put(&pool, b);
	pipe_pool_trim(&pool, 0);
	assert_int_equal(pool.n_idle, 0);
	assert_true(SLIST_EMPTY(&pool.idle));
}

static void test_never_pools_data(void **state)
{
	struct pipe_pool pool = {0};
	struct pipe *p = pipe_get(&pool, S(1));
	int rd = p->rd, wr = p->wr;

	assert_int_equal(write(p->wr, "secret", 6), 6);
	p->held = 6;
	pipe_put(&pool, p);
	assert_int_equal(pool.n_idle, 0);
	assert_int_equal(pool.n_lent, 0);
	assert_false(is_open(rd));
	assert_false(is_open(wr));
}

static void test_trim(void **state)
{
	struct pipe_pool pool = {0};
	struct pipe *p[20];

	for (int i = 0; i < 20; i++)
		p[i] = pipe_get(&pool, S(1));
	for (int i = 0; i < 20; i++)
		pipe_put(&pool, p[i]);
	assert_int_equal(pool.n_idle, 20);
	pipe_pool_trim(&pool, 5);
	assert_int_equal(pool.n_idle, 5);
	pipe_pool_trim(&pool, 10);
	assert_int_equal(pool.n_idle, 5);
	pipe_pool_trim(&pool, 0);
	assert_int_equal(pool.n_idle, 0);
}

/* What idles is bounded. */
static void test_idle_limit(void **state)
{
	enum { MANY = 140 };
	struct pipe_pool pool = {0};
	struct pipe *p[MANY];

	for (int i = 0; i < MANY; i++) {
		p[i] = pipe_get(&pool, S(1));
		assert_non_null(p[i]);
	}
	for (int i = 0; i < MANY; i++)
		pipe_put(&pool, p[i]);
	assert_in_range(pool.n_idle, 64, 128);
	assert_int_equal(pool.n_lent, 0);
	pipe_pool_trim(&pool, 0);
}

/* No descriptor left: refused, and not asked for again for a second; idle ones are lent all the same. */
static void test_refused(void **state)
{
	struct rlimit before, few = {.rlim_cur = 64};
	struct pipe_pool pool = {0};
	struct pipe *p = pipe_get(&pool, S(1)), *q;
	int fds[64], n = 0;

	getrlimit(RLIMIT_NOFILE, &before);
	few.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	while (n < 64 && (fds[n] = dup(0)) >= 0)
		n++;
	assert_null(pipe_get(&pool, S(10)));
	assert_int_equal(pool.refused, 1);
	while (n)
		close(fds[--n]);
	setrlimit(RLIMIT_NOFILE, &before);

	assert_null(pipe_get(&pool, S(10) + NS_PER_SEC / 2));
	assert_int_equal(pool.refused, 1);
	pipe_put(&pool, p);
	p = pipe_get(&pool, S(10) + NS_PER_SEC / 2);
	assert_non_null(p);
	q = pipe_get(&pool, S(11));
	assert_non_null(q);
	assert_int_equal(pool.n_lent, 2);
	pipe_put(&pool, p);
	pipe_put(&pool, q);
	pipe_pool_trim(&pool, 0);
}

/* As nobody, until little of pipe-user-pages-soft (in pages, all pipes of a user) is left. */
static int use_up_pages(int left)
{
	FILE *f = fopen("/proc/sys/fs/pipe-user-pages-soft", "re");
	int soft = 0, page = (int)sysconf(_SC_PAGESIZE), fds[2];

	if (!f || fscanf(f, "%d", &soft) != 1 || fclose(f) || setresuid(65534, 65534, 65534))
		return -1;
	/* A new pipe has 16 pages before it is resized. */
	for (int need = soft - left; need > 16;) {
		int pages = need > 256 + 16 ? 256 : need > 32 ? 32 : 16;

		if (soft < 512 || pipe2(fds, O_CLOEXEC) ||
		    fcntl(fds[1], F_SETPIPE_SZ, pages * page) < 0)
			return -1;
		need -= pages;
	}
	return 0;
}

/* Where the kernel's limit leaves less than the full size, it is taken, and not kept in the pool. */
static void test_smaller(void **state)
{
	int status;
	pid_t child;

	if (geteuid()) {
		print_message("skip test_smaller: only root can become somebody else\n");
		skip();
	}
	child = fork();
	if (!child) {
		struct pipe_pool pool = {0};
		struct pipe *p;

		if (use_up_pages(96))
			_exit(2);
		p = pipe_get(&pool, S(1));
		if (!p || p->size >= PIPE_BYTES || p->size < PIPE_LEAST)
			_exit(1);
		pipe_put(&pool, p);
		_exit(pool.n_idle != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lend_and_reuse), cmocka_unit_test(test_never_pools_data),
		cmocka_unit_test(test_trim),	       cmocka_unit_test(test_idle_limit),
		cmocka_unit_test(test_refused),	       cmocka_unit_test(test_smaller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
