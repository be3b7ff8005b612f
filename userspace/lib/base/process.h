/* SPDX-License-Identifier: MIT */
/* What a daemon sets up before anything else: its first descriptors and its signals. */
#ifndef PORTUNUS_LIB_BASE_PROCESS_H
#define PORTUNUS_LIB_BASE_PROCESS_H

/*
 * First thing in main(). Descriptors 0 to 2 are open from now on (/dev/null where the parent closed
 * one), so that no file of ours becomes stderr; SIGHUP waits until somebody takes it, for it would end
 * the process.
 */
void process_begin(void);

/* Has SIGTERM and SIGINT wait too, for from here on a stop is an orderly one; ignores SIGPIPE. */
void process_hold_signals(void);
/* The handlers are there, or none is wanted: what has waited comes. */
void process_take_signals(void);
/* In its place: the three are read from here (signalfd(2), non-blocking), and no thread is ever
 * interrupted. Returns the descriptor, which is the caller's, or -errno. */
int process_signal_fd(void);

#endif
