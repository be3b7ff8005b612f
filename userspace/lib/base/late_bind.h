/* SPDX-License-Identifier: MIT */
/* Listening where there is no address yet. */
#ifndef PORTUNUS_LIB_BASE_LATE_BIND_H
#define PORTUNUS_LIB_BASE_LATE_BIND_H

#include "lib/base/addr.h"

/*
 * Binds a socket also to an address that the host does not have yet, as when its network comes up
 * after this program at boot: connections come in from the moment it has it. Said in the log. Returns
 * 0 or -errno.
 */
int late_bind(int fd, const union addr *at);

#endif
