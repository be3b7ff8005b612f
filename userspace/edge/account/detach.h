/* SPDX-License-Identifier: MIT */
/* Taking the programs off the cgroup when no socket needs them any more. */
#ifndef PORTUNUS_EDGE_ACCOUNT_DETACH_H
#define PORTUNUS_EDGE_ACCOUNT_DETACH_H

struct account_pins;

/* account_detach() is this, given the link of the iterator over tagged sockets. */
int account_detach_idle(const struct account_pins *pins, int tagged_link_fd);

#endif
