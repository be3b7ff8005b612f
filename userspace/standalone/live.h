/* SPDX-License-Identifier: MIT */
/* The stats socket as the source of the terminal view. */
#ifndef PORTUNUS_STANDALONE_LIVE_H
#define PORTUNUS_STANDALONE_LIVE_H

/* Shows what the daemon at @path does, until the user has enough; connects again whenever it has to. The status to
 * exit with. */
int live_run(const char *path);

#endif
