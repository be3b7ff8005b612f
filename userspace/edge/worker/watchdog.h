/* SPDX-License-Identifier: MIT */
/* A thread that notices when a worker stands still, and says what it was doing. */
#ifndef PORTUNUS_EDGE_WORKER_WATCHDOG_H
#define PORTUNUS_EDGE_WORKER_WATCHDOG_H

struct watchdog;
struct worker;

/*
 * Starts a thread that asks each of @n workers for a sign of life twice a second. One that gives none
 * for two seconds is logged (worker.stalled, with what it does, and worker.resumed) and counted
 * (worker->stalls). NULL with errno set.
 */
struct watchdog *watchdog_start(struct worker *workers, unsigned n);

/* Before the workers stop. */
void watchdog_stop(struct watchdog *d);

#endif
