/* SPDX-License-Identifier: MIT */
/* The kernel relay of the process, and each worker's share in it: begun, and ended. */
#ifndef PORTUNUS_EDGE_KERNELRELAY_KERNELRELAY_H
#define PORTUNUS_EDGE_KERNELRELAY_KERNELRELAY_H

#include <stdbool.h>

struct conn_env;
struct kernel_relay;
struct relay_finder;
struct relay_share;

struct kernel_relay_config {
	const char *bpffs;    /* NULL: where it usually is */
	const char *instance; /* NULL or "" for the default one; both outlive it */
	int targets_fd;	      /* the accounting's map of records; below 0: there is none */
	unsigned n_workers;
};

/* Nothing is loaded yet. NULL for memory. Main thread, as all but the share's. */
struct kernel_relay *kernel_relay_new(const struct kernel_relay_config *config);
/* Brings the accounting's records up to date. Any thread; @arg is the struct kernel_relay. */
void kernel_relay_fold(void *arg);
/*
 * A rule wants it: loads and attaches the programs, once. What goes wrong is logged and
 * kernel_relay_reason() says it; connections stay in user space then.
 */
void kernel_relay_need(struct kernel_relay *k);
/* When all workers run: takes up what an earlier process left, where there is something. */
void kernel_relay_take_up(struct kernel_relay *k);
/* Gives the connections among that to their rules (takeover.h). */
void kernel_relay_adopt(struct kernel_relay *k, const struct relay_finder *finder);
/* Interfaces have come or gone. */
void kernel_relay_network_changed(struct kernel_relay *k);
/* "ready", "unused" (no rule wants it) or "unavailable", and then why. Texts live as long as @k. */
const char *kernel_relay_text(const struct kernel_relay *k);
const char *kernel_relay_reason(const struct kernel_relay *k); /* "" unless it is unavailable */
bool kernel_relay_ready(const struct kernel_relay *k);
/* At a clean end, when the workers have ended: the programs go off the interfaces, the pins go. */
void kernel_relay_free(struct kernel_relay *k);

/* The share of a worker, before its thread starts; sets env->kernel. NULL for memory. */
struct relay_share *relay_share_new(struct kernel_relay *k, struct conn_env *env, unsigned worker);
/* When the worker's connections are gone. */
void relay_share_free(struct relay_share *s);

#endif
