// SPDX-License-Identifier: MIT
/* The process was moved to another cgroup: the programs follow, and it is said. */
#include "edge/account/moved.h"

#include <stdio.h>
#include <string.h>

#include "edge/account/load.h"
#include "lib/base/log.h"

bool account_moved(struct account_move *m, struct account_kernel *k,
		   const struct account_pins *pins, char *why, size_t size)
{
	char before[sizeof(k->cgroup)];
	int rc;

	memcpy(before, k->cgroup, sizeof(before));
	rc = account_follow(k, pins);
	if (!rc || rc == m->error)
		return false;
	m->error = rc < 0 ? rc : 0;
	if (rc < 0)
		snprintf(
			why, size,
			"the cgroup this process was moved to cannot be attached to (%s): new connections to targets are not counted (untagged); restart it",
			strerror(-rc));
	else
		snprintf(
			why, size,
			"this process was moved to another cgroup: connections to targets that began just then are not counted (untagged)");
	log_event(LOG_WARN, "accounting.cgroup_moved", LOGF_STR("from", before),
		  LOGF_STR("to", rc < 0 ? NULL : k->cgroup),
		  LOGF_STR("error", rc < 0 ? strerror(-rc) : NULL));
	return true;
}
