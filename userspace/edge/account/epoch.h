/* SPDX-License-Identifier: MIT */
/* Which run of counters this is: as long as the number is the same, no byte count has fallen. */
#ifndef PORTUNUS_EDGE_ACCOUNT_EPOCH_H
#define PORTUNUS_EDGE_ACCOUNT_EPOCH_H

#include <stdint.h>

/* account_epoch() of the records in this map; below 0: of counters that die with the process. */
uint64_t account_epoch_of(int targets_fd);

#endif
