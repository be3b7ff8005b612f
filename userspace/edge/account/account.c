// SPDX-License-Identifier: MIT
/*
 * Accounting of connections in the kernel: puts its parts together. Documentation/accounting.md
 * describes the whole.
 */
#include "edge/account/account.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/account/detach.h"
#include "edge/account/epoch.h"
#include "edge/account/leftovers.h"
#include "edge/account/reason.h"
#include "edge/account/removed.h"
#include "edge/account/state.h"
#include "lib/base/instance.h"

static int fail(struct account_failure *f, enum account_stage stage, int rc, const char *path)
{
	f->stage = stage;
	f->error = -rc;
	f->path = path;
	return rc;
}

static int prepare(struct account *a, const struct account_config *config,
		   struct account_failure *f)
{
	const char *bpffs = config->bpffs ? config->bpffs : "/sys/fs/bpf";
	struct account_key none = {0};
	struct account_target t;
	int rc;

	if (config->disable)
		return fail(f, ACCOUNT_STAGE_ASKED, -EINVAL, "");
	if (!instance_name_ok(f->instance))
		return fail(f, ACCOUNT_STAGE_INSTANCE, -EINVAL, "");
	account_identity(&t, config->scope ? config->scope : "", &none);
	memcpy(a->table.scope, t.scope, sizeof(a->table.scope));
	if (account_pins_init(&a->pins, bpffs, f->instance))
		return fail(f, ACCOUNT_STAGE_BPFFS, -ENAMETOOLONG, a->pins.bpffs);
	rc = account_pins_open(&a->pins);
	if (rc == -EBUSY) {
		f->holder = a->pins.holder;
		return fail(f, ACCOUNT_STAGE_HELD, rc, a->pins.dir);
	}
	return rc ? fail(f, ACCOUNT_STAGE_BPFFS, rc, a->pins.bpffs) : 0;
}

static int on_event(void *arg, void *data, size_t size)
{
	const struct account_event *e = data;
	struct account *a = arg;

	if (a->event && size >= sizeof(*e))
		a->event(a->arg, e->slot,
			 e->kind == ACCOUNT_RESET ? ACCOUNT_EVENT_RESET
						  : ACCOUNT_EVENT_CONNECT_FAILED,
			 (int)e->error);
	return 0;
}

/* The parts above the kernel's, each with what it needs of those below. */
static int connect_parts(struct account *a, struct account_failure *f)
{
	const struct account_kernel *k = &a->kernel;
	int rc;

	a->tagger = (struct account_tagger){.sockets_fd = k->sockets_fd, .hints = k->hints};
	a->table.targets_fd = k->targets_fd;
	a->collector.tagged_link_fd = account_tagged_fd(k);
	a->collector.tagged_prog_fd = account_tagged_prog_fd(k);
	a->collector.old_pins = account_leftovers_found(&a->pins);
	a->refreshes.link_fd = account_refresh_fd(k);
	a->slots.meta_fd = k->meta_fd;
	a->slots.next_number = k->next_slot;
	a->events = ring_buffer__new(bpf_map__fd(k->programs.events), on_event, a, NULL);
	if (!a->events)
		return fail(f, ACCOUNT_STAGE_LOAD, -errno, a->pins.dir);
	rc = account_slots_init(&a->slots);
	return rc ? fail(f, ACCOUNT_STAGE_PINS, rc, a->pins.dir) : 0;
}

static void disconnect_parts(struct account *a)
{
	ring_buffer__free(a->events);
	a->events = NULL;
	account_unload(&a->kernel);
	account_pins_close(&a->pins);
	a->tagger = (struct account_tagger){.sockets_fd = -1};
}

struct account *account_open(const struct account_config *config)
{
	struct account_failure f = {.instance = config->instance ? config->instance : "",
				    .path = ""};
	struct account *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return NULL;
	a->event = config->event;
	a->arg = config->arg;
	a->tagger.sockets_fd = a->kernel.link_fd = a->pins.lock_fd = -1;
	slot_table_init(&a->table);
	a->collector = (struct account_collector){.table = &a->table,
						  .pins = &a->pins,
						  .tagged_link_fd = -1,
						  .tagged_prog_fd = -1,
						  .opened_ns = clock_mono_ns()};
	account_refreshes_init(&a->refreshes, &a->collector);
	a->slots = (struct account_slots){.table = &a->table, .collector = &a->collector};
	rc = prepare(a, config, &f);
	if (!rc)
		rc = account_load(&a->kernel, &a->pins, config->basic, &f);
	if (!rc)
		rc = connect_parts(a, &f);
	if (rc)
		disconnect_parts(a);
	a->in_kernel = !rc;
	if (!rc && !a->kernel.tagged)
		f.stage = ACCOUNT_STAGE_BASIC;
	if (rc || !a->kernel.tagged)
		account_explain(&f, a->reason, sizeof(a->reason));
	a->opened_reason = strlen(a->reason);
	return a;
}

void account_close(struct account *a)
{
	if (!a)
		return;
	disconnect_parts(a);
	account_refreshes_free(&a->refreshes);
	slot_table_free(&a->table);
	free(a);
}

void account_check(struct account *a)
{
	char why[192];
	size_t n = a->opened_reason;

	if (!a->in_kernel || !account_moved(&a->move, &a->kernel, &a->pins, why, sizeof(why)))
		return;
	/* Those of the former cgroup are of this process, and so are sockets there. */
	pthread_mutex_lock(&a->table.lock);
	a->collector.keep_links = true;
	pthread_mutex_unlock(&a->table.lock);
	snprintf(a->reason + n, sizeof(a->reason) - n, "%s%s", n ? "; " : "", why);
}

int account_detach(struct account *a)
{
	return a->in_kernel ? account_detach_idle(&a->pins, account_tagged_fd(&a->kernel)) : 0;
}

enum account_mode account_mode(const struct account *a)
{
	return a->in_kernel ? ACCOUNT_BPF : ACCOUNT_USER;
}

const char *account_mode_text(const struct account *a)
{
	return account_mode(a) == ACCOUNT_BPF ? "bpf" : "user";
}

const char *account_reason(const struct account *a)
{
	return a->reason;
}

bool account_fast_syn(const struct account *a)
{
	return a->in_kernel && a->kernel.fast_syn;
}

int account_slot_get(struct account *a, const struct account_key *key, uint64_t *slot)
{
	*slot = 0;
	return a->in_kernel ? account_slots_get(&a->slots, key, slot) : 0;
}

void account_slot_put(struct account *a, uint64_t slot)
{
	if (a->in_kernel)
		account_slots_put(&a->slots, slot);
}

void account_slots_drop(struct account *a, uint64_t rule_id)
{
	if (a->in_kernel)
		account_slots_drop_rule(&a->slots, rule_id);
}

void account_slots_settled(struct account *a)
{
	if (a->in_kernel)
		account_slots_settle(&a->slots);
}

int account_tag_listener(struct account *a, int fd, uint64_t rule_id, uint64_t unassigned_slot,
			 uint64_t expected_slot)
{
	return account_tagger_listener(&a->tagger, fd, rule_id, unassigned_slot, expected_slot);
}

int account_tag_upstream(struct account *a, int fd, uint64_t rule_id, uint64_t slot)
{
	return account_tagger_upstream(&a->tagger, fd, rule_id, slot);
}

int account_tag_client(struct account *a, int fd, uint64_t rule_id, uint64_t slot,
		       uint64_t inherited)
{
	return account_tagger_client(&a->tagger, fd, rule_id, slot, inherited, 0);
}

int account_tag_behind(struct account *a, int fd, uint64_t rule_id, uint64_t slot,
		       uint64_t inherited, unsigned header)
{
	return account_tagger_client(&a->tagger, fd, rule_id, slot, inherited, header);
}

int account_connect(struct account *a, unsigned worker, int fd, const struct sockaddr *sa,
		    socklen_t len, const struct account_tag *tag, bool *counted)
{
	return account_tagger_connect(&a->tagger, worker, fd, sa, len, tag, counted);
}

int account_refresh(struct account *a, uint64_t not_before_ns)
{
	return a->in_kernel ? account_refreshes_run(&a->refreshes, not_before_ns) : 0;
}

void account_before_refresh(struct account *a, void (*before)(void *arg), void *arg)
{
	a->refreshes.before = before;
	a->refreshes.before_arg = arg;
}

int account_targets_fd(const struct account *a)
{
	return a->in_kernel ? a->table.targets_fd : -1;
}

int account_read(struct account *a, uint64_t slot, struct account_record *out)
{
	struct account_target t;

	memset(out, 0, sizeof(*out));
	if (!a->in_kernel || !slot)
		return -ENOENT;
	if (bpf_map_lookup_elem(a->table.targets_fd, &slot, &t))
		return -errno;
	account_record_of(&t, out);
	return 0;
}

void account_store_written(struct account *a, uint64_t slot, uint64_t bytes_in, uint64_t bytes_out)
{
	struct account_target t;

	if (!a->in_kernel || bpf_map_lookup_elem(a->table.targets_fd, &slot, &t) ||
	    (t.bytes_in == bytes_in && t.bytes_out == bytes_out))
		return;
	t.bytes_in = bytes_in;
	t.bytes_out = bytes_out;
	bpf_map_update_elem(a->table.targets_fd, &slot, &t, BPF_EXIST);
}

void account_read_removed(struct account *a, uint64_t rule_id, struct account_record *out)
{
	memset(out, 0, sizeof(*out));
	if (a->in_kernel)
		account_removed_sum(&a->table, rule_id, out);
}

uint64_t account_epoch(const struct account *a)
{
	return account_epoch_of(a->in_kernel ? a->table.targets_fd : -1);
}

int account_event_fd(const struct account *a)
{
	return a->in_kernel ? ring_buffer__epoll_fd(a->events) : -1;
}

void account_poll(struct account *a)
{
	if (a->in_kernel)
		ring_buffer__consume(a->events);
}
