// SPDX-License-Identifier: MIT
/* Why accounting is not in the kernel, in one sentence that says what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/capability.h>

#include "edge/account/reason.h"

static const uint64_t all_caps = ~0ull, three = 1ull << CAP_NET_ADMIN | 1ull << 38 | 1ull << 39;

static void says(struct account_failure f, const char *text)
{
	char buf[384];

	f.path = f.path ? f.path : "/sys/fs/bpf";
	f.instance = f.instance ? f.instance : "";
	account_explain(&f, buf, sizeof(buf));
	if (!strstr(buf, text))
		fail_msg("\"%s\" is not in \"%s\"", text, buf);
	if (strchr(buf, '\n') || strlen(buf) >= sizeof(buf) - 1)
		fail_msg("not one short sentence: %s", buf);
}

static void test_reasons(void **state)
{
	struct account_failure f = {.stage = ACCOUNT_STAGE_LOAD, .error = EPERM, .has_btf = true};

	says(f, "give it CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN");
	f.capabilities = three & ~(1ull << 38);
	says(f, "give it CAP_PERFMON (");
	f.error = EINVAL; /* what the verifier answers then */
	says(f, "give it CAP_PERFMON (");
	f.capabilities = three;
	says(f, "Linux 5.10 or later");
	f.error = EPERM;
	says(f, "lockdown");
	says(f, "LimitMEMLOCK");
	f.capabilities = 1ull << CAP_SYS_ADMIN; /* stands for all three */
	says(f, "lockdown");
	f.capabilities = all_caps;
	f.error = ESRCH;
	says(f, "CONFIG_DEBUG_INFO_BTF");
	f.error = ENOSYS;
	says(f, "CONFIG_BPF_SYSCALL");
	f.error = ENOMEM;
	says(f, "memory limit");

	f.stage = ACCOUNT_STAGE_BPFFS;
	f.error = EINVAL;
	says(f, "mount -t bpf bpf /sys/fs/bpf");
	f.error = EACCES;
	says(f, "cannot be written");
	f.stage = ACCOUNT_STAGE_HELD;
	f.holder = "pid 7 on host web-1";
	says(f, "pid 7 on host web-1 counts with the pins in /sys/fs/bpf already");
	says(f, "--instance");
	f.stage = ACCOUNT_STAGE_CGROUP;
	f.error = ENOENT;
	says(f, "mount -t cgroup2");
	f.stage = ACCOUNT_STAGE_LAYOUT;
	says(f, "portunus-client unpin,");
	f.instance = "blue";
	says(f, "portunus-client unpin --instance blue,");
	f.stage = ACCOUNT_STAGE_PINS;
	says(f, "portunus-client unpin --instance blue");
	f.capabilities = three & ~(1ull << 39);
	f.error = EPERM;
	says(f, "give it CAP_BPF (");
	f.capabilities = all_caps;
	f.stage = ACCOUNT_STAGE_INSTANCE;
	says(f, "\"blue\" cannot name an instance");
	f.stage = ACCOUNT_STAGE_ASKED;
	says(f, "switched off by the operator");
	f.stage = ACCOUNT_STAGE_BASIC;
	says(f, "last round-trip sample");
	f.stage = ACCOUNT_STAGE_ATTACH;
	f.error = E2BIG;
	says(f, "bpftool cgroup tree");
	f.error = EPERM;
	says(f, "bpftool cgroup tree"); /* so it says when another program does not share */
	f.capabilities = three & ~(1ull << CAP_NET_ADMIN);
	says(f, "give it CAP_NET_ADMIN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
