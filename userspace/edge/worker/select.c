// SPDX-License-Identifier: MIT
/* Loads the program that picks a worker for a new connection, and tells it what each has to do. */
#include "edge/worker/select.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "bpf/select.h"
#include "bpf/select.skel.h"
#include "edge/account/messages.h"

#define CELLS_SIZE (SELECT_WORKERS_MAX * sizeof(struct select_worker))

_Static_assert(sizeof(struct select_worker) == 128, "two cache lines");

static int load(struct selector *s, unsigned n_workers)
{
	struct select_bpf *p;
	void *cells;
	int err;

	account_take_libbpf_messages();
	p = select_bpf__open();
	if (!p)
		return -errno;
	p->rodata->n_workers = n_workers;
	err = select_bpf__load(p);
	if (err)
		goto err_program;
	cells = mmap(NULL, CELLS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		     bpf_map__fd(p->maps.workers), 0);
	if (cells == MAP_FAILED) {
		err = -errno;
		goto err_program;
	}
	s->program = p;
	s->cells = cells;
	return 0;

err_program:
	select_bpf__destroy(p);
	return err;
}

void selector_open(struct selector *s, unsigned n_workers)
{
	int err;

	memset(s, 0, sizeof(*s));
	if (n_workers < 2) {
		snprintf(s->reason, sizeof(s->reason), "one worker");
		return;
	}
	err = load(s, n_workers);
	if (err)
		snprintf(s->reason, sizeof(s->reason), "the kernel does not take the program: %s%s",
			 strerror(-err), err == -EPERM ? " (CAP_BPF or root)" : "");
}

void selector_close(struct selector *s)
{
	if (s->cells)
		munmap(s->cells, CELLS_SIZE);
	select_bpf__destroy(s->program);
	s->cells = NULL;
	s->program = NULL;
}

bool selector_by_load(const struct selector *s)
{
	return s->program != NULL;
}

int selector_attach(const struct selector *s, int fd)
{
	int prog;

	if (!s || !s->program)
		return 0;
	prog = bpf_program__fd(s->program->progs.select_worker);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &prog, sizeof(prog)) < 0
		       ? -errno
		       : 0;
}

struct select_worker *selector_cell(const struct selector *s, unsigned worker)
{
	return s && s->cells && worker < SELECT_WORKERS_MAX ? &s->cells[worker] : NULL;
}

void selector_turn(struct select_worker *cell, uint64_t now_ns, unsigned events, unsigned open)
{
	__atomic_store_n(&cell->taken, __atomic_load_n(&cell->assigned, __ATOMIC_RELAXED),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&cell->queued, events, __ATOMIC_RELAXED);
	__atomic_store_n(&cell->open, open, __ATOMIC_RELAXED);
	__atomic_store_n(&cell->busy, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&cell->turn_ns, now_ns, __ATOMIC_RELAXED);
}

void selector_sleep(struct select_worker *cell, unsigned open)
{
	__atomic_store_n(&cell->open, open, __ATOMIC_RELAXED);
	__atomic_store_n(&cell->busy, 0, __ATOMIC_RELAXED);
}
