/* SPDX-License-Identifier: MIT */
/* Descriptors and memory of this process. */
#ifndef PORTUNUS_EDGE_STATUS_USAGE_H
#define PORTUNUS_EDGE_STATUS_USAGE_H

#include <stdint.h>

/* What the process uses now; 0 where /proc does not say. */
uint64_t usage_open_fds(void);
uint64_t usage_fd_limit(void);
uint64_t usage_rss_bytes(void);

#endif
