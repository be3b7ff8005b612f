/* SPDX-License-Identifier: MIT */
/* The addresses of one name. */
#ifndef PORTUNUS_EDGE_RESOLVE_ADDRS_H
#define PORTUNUS_EDGE_RESOLVE_ADDRS_H

#include "lib/base/addr.h"

/* As many addresses of one name as are ever tried. */
#define RESOLVE_ADDRS_MAX 16

/* The addresses of one name, in the order in which they are to be tried. */
struct resolve_addrs {
	unsigned n;
	union addr addr[RESOLVE_ADDRS_MAX]; /* ports as asked for */
};

#endif
