// SPDX-License-Identifier: MIT
/* How many workers there are: what the quotas of a cgroup and those above it pay for. */
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "edge/worker/cpus.h"
#include "selftests/unit/rig.h"

static void put(const char *root, const char *dir, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", root, dir);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s%s/cpu.max", root, dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_quota(void **state)
{
	char root[] = "/tmp/test_cpus-XXXXXX", command[64];

	assert_non_null(mkdtemp(root));
	put(root, "/a", "max 100000\n");
	put(root, "/a/b", "150000 100000\n");
	put(root, "/a/b/c", "400000 100000\n");
	put(root, "/d", "20000 100000\n");
	assert_int_equal(cpus_of_quota(root, "/"), 0);
	assert_int_equal(cpus_of_quota(root, "/a"), 0);
	/* One and a half CPUs keep two threads busy; the least of all above counts. */
	assert_int_equal(cpus_of_quota(root, "/a/b"), 2);
	assert_int_equal(cpus_of_quota(root, "/a/b/c"), 2);
	assert_int_equal(cpus_of_quota(root, "/d"), 1);
	assert_int_equal(cpus_of_quota(root, "/nowhere"), 0);
	/* In a cgroup namespace the root of the mount is one's own cgroup, with its file. */
	put(root, "", "300000 100000\n");
	assert_int_equal(cpus_of_quota(root, "/"), 3);
	snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

static void test_affinity(void **state)
{
	cpu_set_t before, one;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	for (int i = 0; !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &before))
			CPU_SET(i, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(cpus_allowed(), 1);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_true(cpus_allowed() <= (unsigned)CPU_COUNT(&before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_affinity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
