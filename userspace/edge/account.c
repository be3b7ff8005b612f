// SPDX-License-Identifier: MIT
/*
 * Accounting of connections in the kernel: opening, and the tags by which it knows whose bytes a
 * socket carries. Documentation/accounting.md describes the whole.
 */
#include "edge/account.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/account_internal.h"
#include "lib/clock.h"

static bool valid_instance(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return !s[n] && n <= 32;
}

static int prepare(struct account *a, const struct account_config *config,
		   struct account_failure *f)
{
	struct account_key none = {0};
	struct account_target t;

	f->error = 0;
	if (config->disable) {
		f->stage = ACCOUNT_STAGE_ASKED;
		return -EINVAL;
	}
	if (!valid_instance(f->instance)) {
		f->stage = ACCOUNT_STAGE_INSTANCE;
		return -EINVAL;
	}
	account_identity(&t, config->scope ? config->scope : "", &none);
	memcpy(a->scope, t.scope, sizeof(a->scope));
	snprintf(a->instance, sizeof(a->instance), "%s", f->instance);
	snprintf(a->bpffs, sizeof(a->bpffs), "%s", config->bpffs ? config->bpffs : "/sys/fs/bpf");
	if (account_pin_dir(a->dir, sizeof(a->dir), a->bpffs, ACCOUNT_ABI, a->instance)) {
		f->stage = ACCOUNT_STAGE_BPFFS;
		f->path = a->bpffs;
		f->error = ENAMETOOLONG;
		return -EINVAL;
	}
	return 0;
}

struct account *account_open(const struct account_config *config)
{
	struct account_failure f = {.instance = config->instance ? config->instance : "",
				    .path = ""};
	struct account *a = calloc(1, sizeof(*a));
	pthread_condattr_t attr;
	int rc;

	if (!a)
		return NULL;
	a->sockets_fd = a->targets_fd = a->meta_fd = a->link_fd = -1;
	a->event = config->event;
	a->arg = config->arg;
	a->only_basic = config->basic;
	a->opened_ns = clock_mono_ns();
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&a->refreshed, &attr);
	pthread_condattr_destroy(&attr);

	rc = prepare(a, config, &f);
	if (!rc)
		rc = account_load(a, &f);
	if (!rc) {
		rc = account_slots_init(a);
		if (rc) {
			f.stage = ACCOUNT_STAGE_PINS;
			f.error = -rc;
			f.path = a->dir;
		}
	}
	if (rc) {
		account_unload(a);
		slot_table_free(&a->slots);
		a->mode = ACCOUNT_USER;
		a->fast_syn = false;
		account_explain(&f, a->reason, sizeof(a->reason));
	} else if (!a->tagged) {
		f.stage = ACCOUNT_STAGE_BASIC;
		account_explain(&f, a->reason, sizeof(a->reason));
	}
	return a;
}

void account_close(struct account *a)
{
	if (!a)
		return;
	account_unload(a);
	slot_table_free(&a->slots);
	pthread_cond_destroy(&a->refreshed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

enum account_mode account_mode(const struct account *a)
{
	return a->mode;
}

const char *account_reason(const struct account *a)
{
	return a->reason;
}

bool account_fast_syn(const struct account *a)
{
	return a->mode == ACCOUNT_BPF && a->fast_syn;
}

/* The map's key, seen from user space, is the socket's fd. */
static int set_tag(const struct account *a, int fd, const struct account_socket *t)
{
	if (a->mode != ACCOUNT_BPF)
		return 0;
	return bpf_map_update_elem(a->sockets_fd, &fd, t, BPF_ANY) ? -errno : 0;
}

int account_tag_listener(struct account *a, int fd, uint64_t rule_id, uint64_t unassigned_slot,
			 uint64_t expected_slot)
{
	struct account_socket t = {
		.rule_id = rule_id,
		.slot = expected_slot,
		.unassigned = unassigned_slot,
		.side = ACCOUNT_PENDING,
	};

	return unassigned_slot ? set_tag(a, fd, &t) : 0;
}

/* @introduces: the worker, from 1, whose thread the program shall know by this tag; or 0. */
static int tag_upstream(const struct account *a, int fd, uint64_t rule_id, uint64_t slot,
			unsigned introduces)
{
	struct account_socket t = {
		.rule_id = rule_id,
		.slot = slot,
		.side = ACCOUNT_UPSTREAM,
		.flags = introduces << ACCOUNT_WORKER_SHIFT,
	};

	return slot ? set_tag(a, fd, &t) : 0;
}

int account_tag_upstream(struct account *a, int fd, uint64_t rule_id, uint64_t slot)
{
	return tag_upstream(a, fd, rule_id, slot, 0);
}

int account_connect(struct account *a, unsigned worker, int fd, const struct sockaddr *sa,
		    socklen_t len, uint64_t rule_id, uint64_t slot, bool *counted)
{
	bool has_hint = slot && a->hints && worker < ACCOUNT_WORKERS_MAX;
	struct account_hint *hint = has_hint ? &a->hints[worker] : NULL;
	int rc;

	if (!hint || !__atomic_load_n(&hint->known, __ATOMIC_RELAXED)) {
		*counted = tag_upstream(a, fd, rule_id, slot, hint ? worker + 1 : 0) == 0;
		return connect(fd, sa, len) ? -errno : 0;
	}
	/* Read and cleared by the program, in this thread, inside connect(). */
	__atomic_store_n(&hint->slot, slot, __ATOMIC_RELAXED);
	rc = connect(fd, sa, len) ? -errno : 0;
	if (!rc || rc == -EINPROGRESS)
		*counted = !__atomic_load_n(&hint->slot, __ATOMIC_RELAXED);
	__atomic_store_n(&hint->slot, 0, __ATOMIC_RELAXED);
	return rc;
}

/* As the kernel programs left it when the connection was established: nothing is counted of it. */
int account_tag_client(struct account *a, int fd, uint64_t rule_id, uint64_t slot)
{
	struct account_socket t = {
		.rule_id = rule_id,
		.slot = slot,
		.side = ACCOUNT_CLIENT,
		.flags = ACCOUNT_F_ESTABLISHED,
		.tx_limit = ACCOUNT_NO_LIMIT,
		.born_ns = clock_mono_ns(),
	};

	return slot ? set_tag(a, fd, &t) : 0;
}
