/* SPDX-License-Identifier: MIT */
/* The programs at the interfaces: attached to those there are, again when some come or go. */
#ifndef PORTUNUS_EDGE_KERNELRELAY_LINKS_H
#define PORTUNUS_EDGE_KERNELRELAY_LINKS_H

struct relay_programs;

/*
 * Attaches ingress and egress to every interface with Ethernet headers, by tcx links that are pinned
 * beside the maps; replaces the programs of links that an earlier process pinned, and removes pins of
 * interfaces that are gone. 0 or -errno of the first that could not be attached. Main thread.
 */
int relay_links_sync(const struct relay_programs *p);

#endif
