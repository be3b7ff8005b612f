// SPDX-License-Identifier: MIT
/* server/store/staged.h: what is ready takes its place, however often that was broken off. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/store/staged.h"

struct fixture {
	char path[64];
	int dir;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->path, "/tmp/staged.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dir >= 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[96];

	close(f->dir);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void expect(int dir, const char *name, const char *text)
{
	char got[32] = "";
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (!text) {
		assert_int_equal(fd, -1);
		return;
	}
	assert_true(fd >= 0);
	assert_true(read(fd, got, sizeof(got) - 1) >= 0);
	close(fd);
	assert_string_equal(got, text);
}

static void a_commit_replaces_all_and_removes_the_old_log(void **state)
{
	struct fixture *f = *state;
	int staged;

	put(f->dir, "state.db", "old");
	put(f->dir, "state.db-wal", "old");
	put(f->dir, "state.db-shm", "old");
	put(f->dir, "server.crt", "old");
	put(f->dir, "server.crt.next", "old");
	put(f->dir, "server.toml", "old");
	staged = staged_begin(f->dir);
	assert_true(staged >= 0);
	put(staged, "state.db", "new");
	put(staged, "server.crt", "new");
	put(staged, "server.crt.next" STAGED_GONE, "");
	assert_false(staged_is_ready(f->dir));
	assert_int_equal(staged_commit(f->dir, staged), 0);
	close(staged);
	expect(f->dir, "state.db", "new");
	expect(f->dir, "server.crt", "new");
	expect(f->dir, "state.db-wal", NULL);
	expect(f->dir, "state.db-shm", NULL);
	expect(f->dir, "server.crt.next", NULL);
	expect(f->dir, "server.crt.next" STAGED_GONE, NULL);
	expect(f->dir, "server.toml", "old");
	expect(f->dir, STAGED_READY, NULL);
	expect(f->dir, STAGED_NEW, NULL);
}

static void what_was_broken_off_goes_on_and_spares_the_new_log(void **state)
{
	struct fixture *f = *state;

	/* The database was moved already, and has a log of its own by now. */
	put(f->dir, "state.db", "new");
	put(f->dir, "state.db-wal", "new");
	put(f->dir, "server.key", "old");
	assert_int_equal(mkdirat(f->dir, STAGED_READY, 0700), 0);
	put(f->dir, STAGED_READY "/server.key", "new");
	put(f->dir, STAGED_READY "/server.key.next" STAGED_GONE, "");
	assert_true(staged_is_ready(f->dir));
	assert_int_equal(staged_finish(f->dir), 0);
	expect(f->dir, "server.key", "new");
	expect(f->dir, "state.db-wal", "new");
	expect(f->dir, STAGED_READY, NULL);
	assert_int_equal(staged_finish(f->dir), 0);
}

static void what_was_not_ready_is_dropped(void **state)
{
	struct fixture *f = *state;
	int staged = staged_begin(f->dir);

	put(f->dir, "state.db", "old");
	put(staged, "state.db", "half");
	close(staged);
	/* Another one begins with nothing of it. */
	staged = staged_begin(f->dir);
	assert_true(staged >= 0);
	expect(staged, "state.db", NULL);
	put(staged, "state.db", "half");
	close(staged);
	assert_int_equal(staged_finish(f->dir), 0);
	expect(f->dir, "state.db", "old");
	expect(f->dir, STAGED_NEW, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_commit_replaces_all_and_removes_the_old_log,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_broken_off_goes_on_and_spares_the_new_log,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_not_ready_is_dropped, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
