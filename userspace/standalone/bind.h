/* SPDX-License-Identifier: MIT */
/* Whether the ports of rules can be had now. */
#ifndef PORTUNUS_STANDALONE_BIND_H
#define PORTUNUS_STANDALONE_BIND_H

struct config;

/* Binds every port for a moment; says on stderr which ones it could not have. Returns how many rules have such. */
unsigned bind_try(const struct config *c);

#endif
