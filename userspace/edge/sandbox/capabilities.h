/* SPDX-License-Identifier: MIT */
/* The capabilities that the edge keeps. */
#ifndef PORTUNUS_EDGE_SANDBOX_CAPABILITIES_H
#define PORTUNUS_EDGE_SANDBOX_CAPABILITIES_H

/*
 * Keeps of the thread's capabilities the five that the edge uses, and of those that override the modes
 * of files what is needed to read @read again (rules or bundle) and to write in the directories of
 * @write (NULL ends them). There is no way back and none to others (no_new_privs). Before the first thread, for
 * each has its own. 0 or -errno.
 */
int capabilities_give_up(const char *read, const char *const *write);

#endif
