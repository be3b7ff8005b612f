// SPDX-License-Identifier: MIT
/* The capabilities that the edge keeps. */
#include "edge/sandbox/capabilities.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Those of the systemd unit. */
static const unsigned wanted[] = {
	CAP_BPF,	      /* records in the kernel */
	CAP_PERFMON,	      /* programs that read the kernel's structures */
	CAP_NET_ADMIN,	      /* programs at a cgroup's sockets */
	CAP_NET_BIND_SERVICE, /* ports below 1024 */
	CAP_SYS_RESOURCE,     /* pipes beyond fs.pipe-user-pages-soft */
};

/* Whether a file could not be used for the lack of a capability alone; with those in effect now. */
static bool is_refused(const char *path, int how)
{
	return path && faccessat(AT_FDCWD, path, how, AT_EACCESS) < 0 && errno == EACCES;
}

/* The directory itself, or while it is still to be made the nearest one above. */
static bool is_dir_refused(const char *dir)
{
	char path[PATH_MAX];
	char *slash;

	if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
		return false;
	while (access(path, F_OK) && errno == ENOENT && (slash = strrchr(path, '/')) &&
	       slash != path)
		*slash = '\0';
	return is_refused(path, W_OK | X_OK);
}

static int keep(unsigned capability, bool had)
{
	return had ? capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, capability) : 0;
}

/* Whether there is anything to give up: a unit may have done it, and forbid capset(2) with it. */
static bool has_more(const bool *had)
{
	for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
		bool is_wanted = false;

		for (unsigned k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++)
			is_wanted |= wanted[k] == i;
		if (had[i] && !is_wanted)
			return true;
	}
	return false;
}

static int no_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int capabilities_give_up(const char *read, const char *const *write)
{
	bool had[CAP_LAST_CAP + 1], read_all, write_all = false;
	int rc = capng_get_caps_process();

	if (rc < 0)
		return -EPERM;
	for (unsigned i = 0; i <= CAP_LAST_CAP; i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, i);
	if (!has_more(had))
		return no_new_privileges();

	/* Without the overrides for a moment, to see whether they are missed. */
	capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, CAP_DAC_OVERRIDE);
	capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, CAP_DAC_READ_SEARCH);
	rc = capng_apply(CAPNG_SELECT_CAPS);
	if (rc < 0)
		return -EPERM;
	read_all = is_refused(read, R_OK);
	for (; *write; write++)
		write_all |= is_dir_refused(*write);

	capng_clear(CAPNG_SELECT_BOTH);
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		keep(wanted[i], had[wanted[i]]);
	keep(CAP_DAC_READ_SEARCH, had[CAP_DAC_READ_SEARCH] && read_all);
	keep(CAP_DAC_OVERRIDE, had[CAP_DAC_OVERRIDE] && write_all);
	/* Before Linux 5.8 one capability was for all of BPF. */
	keep(CAP_SYS_ADMIN, had[CAP_SYS_ADMIN] && prctl(PR_CAPBSET_READ, CAP_BPF, 0, 0, 0) < 0);
	/* The bounding set can be lowered only by who has CAP_SETPCAP, so it comes first. */
	if (had[CAP_SETPCAP] && capng_apply(CAPNG_SELECT_BOUNDS) < 0)
		return -EPERM;
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	return no_new_privileges();
}
