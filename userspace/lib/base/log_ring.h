/* SPDX-License-Identifier: MIT */
/* The ring between those who log and the thread that writes. */
#ifndef PORTUNUS_LIB_BASE_LOG_RING_H
#define PORTUNUS_LIB_BASE_LOG_RING_H

#include <stddef.h>
#include <stdint.h>

/*
 * The way of log lines to stderr. Whoever reads them may stop reading (a full pipe, a terminal under
 * Ctrl-S, a stalled journald), and write(2) waits then: so one thread writes, out of a ring, and all
 * others only put lines into it. A ring that is full drops lines, and counts them. One for the process.
 */

/* Makes the line that says how many were dropped; returns its length, at most @size. */
typedef size_t (*log_ring_notice)(char *line, size_t size, uint64_t dropped);

/*
 * Starts the thread; lines were written by their own threads before. A child of fork() is as before
 * the start. 0 or -errno.
 */
int log_ring_start(log_ring_notice notice);

/* Writes a whole line of at most 4 KiB, newline included. Waits for nothing once the thread runs. */
void log_ring_put(const char *line, size_t len);

/* Waits up to @ms for what is in the ring, then writes only what stderr takes at once. */
void log_ring_stop(unsigned ms);

/* Lines dropped since the start. Any thread. */
uint64_t log_ring_dropped(void);

#endif
