/* SPDX-License-Identifier: MIT */
/* Loads the program that picks a worker for a new connection, and tells it what each has to do. */
#ifndef PORTUNUS_EDGE_WORKER_SELECT_H
#define PORTUNUS_EDGE_WORKER_SELECT_H

#include <stdbool.h>
#include <stdint.h>

struct select_bpf;
struct select_worker;

/*
 * Which worker gets a new connection: by a kernel program that knows what each has to do, or, where that
 * cannot be loaded, by the kernel's hash of the addresses. Set up by the main thread.
 */
struct selector {
	struct select_bpf *program; /* NULL: by the hash */
	struct select_worker *cells;
	char reason[160]; /* why it is by the hash */
};

/* @n_workers 1 needs no program. */
void selector_open(struct selector *s, unsigned n_workers);
void selector_close(struct selector *s);
bool selector_by_load(const struct selector *s);

/* For the first socket of a group, before it listens; the others follow it. 0 or -errno. */
int selector_attach(const struct selector *s, int fd);

/* A worker's cell, or NULL. */
struct select_worker *selector_cell(const struct selector *s, unsigned worker);
/* The worker has taken @events, and has that many connections; then, that it goes to sleep
 * with so many. Its thread. */
void selector_turn(struct select_worker *cell, uint64_t now_ns, unsigned events, unsigned open);
void selector_sleep(struct select_worker *cell, unsigned open);

#endif
