// SPDX-License-Identifier: MIT
/*
 * Why accounting is not in the kernel, or not all of it, in one sentence that says what to do about
 * it.
 */
#include "edge/account/reason.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

/* Since Linux 5.8; the headers we build with may be older than the kernel. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

static bool has(const struct account_failure *f, int cap)
{
	return f->capabilities >> cap & 1;
}

/* "CAP_BPF, CAP_PERFMON": what of the three is not there. */
static const char *missing(const struct account_failure *f, char *buf, size_t size)
{
	static const struct {
		int cap;
		const char *name;
	} needed[] = {
		{CAP_BPF, "CAP_BPF"},
		{CAP_PERFMON, "CAP_PERFMON"},
		{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
	};
	size_t n = 0;

	buf[0] = '\0';
	if (has(f, CAP_SYS_ADMIN))
		return buf;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!has(f, needed[i].cap) && n < size)
			n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? ", " : "",
					      needed[i].name);
	return buf;
}

static void explain_refused(const struct account_failure *f, char *buf, size_t size)
{
	char lacks[64];

	if (*missing(f, lacks, sizeof(lacks)))
		snprintf(
			buf, size,
			"the kernel refuses BPF to this process: give it %s (systemd: AmbientCapabilities=), or start it as root",
			lacks);
	else
		/* Maps counted against RLIMIT_MEMLOCK once; libbpf raises that if it may. */
		snprintf(
			buf, size,
			"the kernel refuses BPF although the capabilities are there: see whether a container, a user namespace, kernel lockdown or a security module (SELinux, seccomp) forbids bpf(2)%s",
			has(f, CAP_SYS_RESOURCE)
				? ""
				: "; before Linux 5.11 it also takes CAP_SYS_RESOURCE, or LimitMEMLOCK=infinity");
}

static void explain_load(const struct account_failure *f, char *buf, size_t size)
{
	char lacks[64];

	/* Without CAP_PERFMON it is the verifier that says no, with EINVAL or EACCES. */
	if (f->error == EPERM ||
	    ((f->error == EINVAL || f->error == EACCES) && *missing(f, lacks, sizeof(lacks)))) {
		explain_refused(f, buf, size);
		return;
	}
	switch (f->error) {
	case ENOSYS:
		snprintf(
			buf, size,
			"this kernel has no bpf(2): use one built with CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF, Linux 5.10 or later");
		return;
	case ENOMEM:
		snprintf(
			buf, size,
			"no memory for the BPF maps: raise the memory limit of the service and restart");
		return;
	}
	if (f->error == ESRCH || !f->has_btf)
		snprintf(
			buf, size,
			"this kernel has no BTF (/sys/kernel/btf/vmlinux): use one built with CONFIG_DEBUG_INFO_BTF");
	else
		snprintf(
			buf, size,
			"the kernel did not accept the BPF programs (%s): Linux 5.10 or later is needed; RUST_LOG=debug shows the verifier's words",
			strerror(f->error));
}

static void explain_bpffs(const struct account_failure *f, char *buf, size_t size)
{
	if (f->error == EACCES || f->error == EPERM || f->error == EROFS)
		snprintf(
			buf, size,
			"%s cannot be written (%s): let the service write there, or start it as root",
			f->path, strerror(f->error));
	else
		snprintf(buf, size, "%s is not a BPF file system: mount -t bpf bpf %s", f->path,
			 f->path);
}

char *account_explain(const struct account_failure *f, char *buf, size_t size)
{
	const char *opt = *f->instance ? " --instance " : "";
	char lacks[64];

	switch (f->stage) {
	case ACCOUNT_STAGE_ASKED:
		snprintf(
			buf, size,
			"switched off by the operator: leave out the option that asks for user-space counts");
		break;
	case ACCOUNT_STAGE_INSTANCE:
		snprintf(buf, size,
			 "\"%s\" cannot name an instance: use letters, digits, - and _, at most 32",
			 f->instance);
		break;
	case ACCOUNT_STAGE_BPFFS:
		explain_bpffs(f, buf, size);
		break;
	case ACCOUNT_STAGE_HELD:
		snprintf(
			buf, size,
			"%s counts with the pins in %s already: give one of the two edges a name of its own with --instance",
			f->holder, f->path);
		break;
	case ACCOUNT_STAGE_CGROUP:
		if (f->error == ENOENT)
			snprintf(
				buf, size,
				"no cgroup v2 hierarchy is mounted: mount -t cgroup2 none /sys/fs/cgroup");
		else
			snprintf(buf, size, "cannot open the cgroup directory %s (%s)", f->path,
				 strerror(f->error));
		break;
	case ACCOUNT_STAGE_PINS:
		/* Looking for them is the first use of bpf(2). */
		if (f->error == EPERM && *missing(f, lacks, sizeof(lacks)))
			explain_refused(f, buf, size);
		else
			snprintf(buf, size,
				 "cannot use the pins in %s (%s): portunus-client unpin%s%s",
				 f->path, strerror(f->error), opt, f->instance);
		break;
	case ACCOUNT_STAGE_LAYOUT:
		snprintf(
			buf, size,
			"the maps pinned in %s have another layout than this build's: portunus-client unpin%s%s, which forgets their counters",
			f->path, opt, f->instance);
		break;
	case ACCOUNT_STAGE_LOAD:
		explain_load(f, buf, size);
		break;
	case ACCOUNT_STAGE_ATTACH:
		if (f->error == EPERM && *missing(f, lacks, sizeof(lacks)))
			explain_refused(f, buf, size);
		else
			snprintf(
				buf, size,
				"cannot attach to the cgroup %s (%s): another program may be attached there or above it without sharing; bpftool cgroup tree shows which",
				f->path, strerror(f->error));
		break;
	case ACCOUNT_STAGE_BASIC:
		snprintf(
			buf, size,
			"by the basic programs, for this kernel refuses the full ones (Linux 5.15 or later takes them): closed connections are exact, open ones are as of their last round-trip sample, and there is no table of connections");
		break;
	}
	return buf;
}
