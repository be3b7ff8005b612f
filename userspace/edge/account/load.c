// SPDX-License-Identifier: MIT
/* Loads the kernel programs, with the maps that are pinned already, and attaches them. */
#include "edge/account/load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf/account.h"
#include "edge/account/cgroup.h"
#include "edge/account/pins.h"
#include "edge/account/reason.h"

#define PINNED_MAPS 3
#define HINTS_SIZE  (ACCOUNT_WORKERS_MAX * sizeof(struct account_hint))

/* Bit n: capability n. */
static uint64_t effective_capabilities(void)
{
	uint64_t caps = 0;

	if (capng_get_caps_process())
		return 0;
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		caps |= (uint64_t)capng_have_capability(CAPNG_EFFECTIVE, cap) << cap;
	return caps;
}

static int fail(struct account_failure *f, enum account_stage stage, int rc, const char *path)
{
	f->stage = stage;
	f->error = -rc;
	f->path = path;
	f->capabilities = effective_capabilities();
	f->has_btf = !access("/sys/kernel/btf/vmlinux", F_OK);
	return rc ? rc : -EINVAL;
}

static struct bpf_map *pinned_map(const struct account_programs *p, int i)
{
	return i == 0 ? p->sockets : i == 1 ? p->targets : p->meta;
}

/* Whether a pinned map is what the program was compiled for. */
static bool same_layout(int fd, const struct bpf_map *map)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &len) && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map) &&
	       info.map_flags == bpf_map__map_flags(map);
}

/* Takes over a pinned map if there is one: 1, 0 when there is none, or -errno. */
static int reuse_map(const struct account_pins *pins, struct bpf_map *map,
		     struct account_failure *f)
{
	char path[ACCOUNT_PATH_MAX + 32];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/%s", pins->dir, bpf_map__name(map));
	fd = bpf_obj_get(path);
	if (fd < 0)
		return errno == ENOENT ? 0 : fail(f, ACCOUNT_STAGE_PINS, -errno, pins->dir);
	if (!same_layout(fd, map)) {
		close(fd);
		return fail(f, ACCOUNT_STAGE_LAYOUT, -EINVAL, pins->dir);
	}
	rc = bpf_map__reuse_fd(map, fd);
	close(fd);
	return rc ? fail(f, ACCOUNT_STAGE_PINS, rc, pins->dir) : 1;
}

static int pin_map(const struct account_pins *pins, struct bpf_map *map, struct account_failure *f)
{
	char path[ACCOUNT_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", pins->dir, bpf_map__name(map));
	if (bpf_obj_pin(bpf_map__fd(map), path) && errno != EEXIST)
		return fail(f, ACCOUNT_STAGE_PINS, -errno, pins->dir);
	return 0;
}

/* `meta` says which layout the pinned maps have: equal sizes may have another meaning. */
static int check_meta(struct account_kernel *k, const struct account_pins *pins, bool fresh,
		      struct account_failure *f)
{
	struct account_meta m = {.layout = ACCOUNT_LAYOUT, .next_slot = 1};
	uint32_t zero = 0;

	k->meta_fd = bpf_map__fd(k->programs.meta);
	if (!fresh && bpf_map_lookup_elem(k->meta_fd, &zero, &m))
		return fail(f, ACCOUNT_STAGE_PINS, -errno, pins->dir);
	if (m.layout != ACCOUNT_LAYOUT)
		return fail(f, ACCOUNT_STAGE_LAYOUT, -EINVAL, pins->dir);
	if (fresh && bpf_map_update_elem(k->meta_fd, &zero, &m, BPF_ANY))
		return fail(f, ACCOUNT_STAGE_PINS, -errno, pins->dir);
	k->next_slot = m.next_slot;
	return 0;
}

/* The cells that account_connect() writes; NULL when they cannot be mapped, then every socket is
 * tagged by a system call. */
static struct account_hint *map_hints(const struct account_kernel *k)
{
	void *p = mmap(NULL, HINTS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(k->programs.hints), 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Opens and loads one variant of the programs. */
static int load_variant(struct account_kernel *k, const struct account_pins *pins,
			const struct account_variant *v, bool fresh[PINNED_MAPS],
			struct account_failure *f)
{
	int rc = account_programs_open(&k->programs, v);

	if (rc)
		return fail(f, ACCOUNT_STAGE_LOAD, rc, pins->dir);
	for (int i = 0; i < PINNED_MAPS; i++) {
		rc = reuse_map(pins, pinned_map(&k->programs, i), f);
		if (rc < 0)
			return rc;
		fresh[i] = rc == 0;
	}
	rc = account_programs_load(&k->programs);
	if (rc)
		return fail(f, ACCOUNT_STAGE_LOAD, rc, pins->dir);
	k->fast_syn = account_programs_know_hz(&k->programs);
	k->hints = v->take_hints ? map_hints(k) : NULL;
	return 0;
}

static int load_programs(struct account_kernel *k, const struct account_pins *pins, bool only_basic,
			 bool fresh[PINNED_MAPS], struct account_failure *f)
{
	size_t n;
	const struct account_variant *v = account_variants(&n);
	int rc = -EINVAL;

	for (size_t i = 0; i < n; i++) {
		if (only_basic && !v[i].basic)
			continue;
		rc = load_variant(k, pins, &v[i], fresh, f);
		/* Nothing of the programs is at fault for the rest. */
		if (!rc || f->stage != ACCOUNT_STAGE_LOAD || rc == -EPERM)
			return rc;
		account_programs_drop(&k->programs);
	}
	return rc;
}

static int attach_iterator(struct bpf_program *prog, int map_fd, struct bpf_link **link)
{
	union bpf_iter_link_info info = {.map.map_fd = (uint32_t)map_fd};
	struct bpf_iter_attach_opts opts;

	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	opts.link_info = &info;
	opts.link_info_len = sizeof(info);
	*link = bpf_program__attach_iter(prog, &opts);
	return *link ? 0 : -errno;
}

/* The table for `cat`: always that of the newest program, so with the basic ones there is none. */
static int pin_connections(const struct account_kernel *k, const struct account_pins *pins)
{
	char path[ACCOUNT_PATH_MAX + 16];
	struct bpf_link *link;
	int rc;

	snprintf(path, sizeof(path), "%s/connections", pins->dir);
	unlink(path);
	if (!k->programs.connections)
		return 0;
	rc = attach_iterator(k->programs.connections, k->sockets_fd, &link);
	if (rc)
		return rc;
	rc = bpf_link__pin(link, path);
	bpf_link__destroy(link);
	return rc;
}

static int attach(struct account_kernel *k, const struct account_pins *pins,
		  struct account_failure *f)
{
	bool opened;
	int rc = account_own_cgroup(k->cgroup, sizeof(k->cgroup));

	if (rc)
		return fail(f, ACCOUNT_STAGE_CGROUP, rc, "");
	k->link_fd = account_attach_cgroup(pins, bpf_program__fd(k->programs.account), k->cgroup,
					   &opened);
	if (k->link_fd < 0)
		return fail(f, opened ? ACCOUNT_STAGE_ATTACH : ACCOUNT_STAGE_CGROUP, k->link_fd,
			    "of this process");

	rc = pin_connections(k, pins);
	if (!rc && k->programs.refresh)
		rc = attach_iterator(k->programs.refresh, k->sockets_fd, &k->refresh);
	if (!rc && k->programs.tagged)
		rc = attach_iterator(k->programs.tagged, k->sockets_fd, &k->tagged);
	return rc ? fail(f, ACCOUNT_STAGE_LOAD, rc, pins->dir) : 0;
}

static int load_and_attach(struct account_kernel *k, const struct account_pins *pins,
			   bool only_basic, bool fresh[PINNED_MAPS], struct account_failure *f)
{
	int rc = load_programs(k, pins, only_basic, fresh, f);

	if (rc)
		return rc;
	k->sockets_fd = bpf_map__fd(k->programs.sockets);
	k->targets_fd = bpf_map__fd(k->programs.targets);
	rc = check_meta(k, pins, fresh[2], f);
	for (int i = 0; i < PINNED_MAPS && !rc; i++)
		if (fresh[i])
			rc = pin_map(pins, pinned_map(&k->programs, i), f);
	return rc ? rc : attach(k, pins, f);
}

int account_load(struct account_kernel *k, const struct account_pins *pins, bool only_basic,
		 struct account_failure *f)
{
	bool fresh[PINNED_MAPS] = {0};
	int rc;

	memset(k, 0, sizeof(*k));
	k->sockets_fd = k->targets_fd = k->meta_fd = k->link_fd = -1;
	rc = load_and_attach(k, pins, only_basic, fresh, f);
	/* Of a set of pins that is half made nothing is worth keeping; of an earlier one all is. */
	if (rc && fresh[0] && fresh[1] && fresh[2])
		account_pins_remove(pins);
	else if (rc)
		account_pins_tidy(pins);
	return rc;
}

int account_follow(struct account_kernel *k, const struct account_pins *pins)
{
	char now[ACCOUNT_PATH_MAX];
	bool opened;
	int fd;

	if (account_own_cgroup(now, sizeof(now)) || !strcmp(now, k->cgroup))
		return 0;
	fd = account_attach_cgroup(pins, bpf_program__fd(k->programs.account), now, &opened);
	if (fd < 0)
		return fd;
	close(k->link_fd);
	k->link_fd = fd;
	memcpy(k->cgroup, now, sizeof(now));
	return 1;
}

void account_unload(struct account_kernel *k)
{
	bpf_link__destroy(k->refresh);
	bpf_link__destroy(k->tagged);
	if (k->link_fd >= 0)
		close(k->link_fd);
	account_programs_drop(&k->programs);
	if (k->hints)
		munmap(k->hints, HINTS_SIZE);
	memset(k, 0, sizeof(*k));
	k->sockets_fd = k->targets_fd = k->meta_fd = k->link_fd = -1;
}

int account_refresh_fd(const struct account_kernel *k)
{
	return k->refresh ? bpf_link__fd(k->refresh) : -1;
}

int account_tagged_fd(const struct account_kernel *k)
{
	return k->tagged ? bpf_link__fd(k->tagged) : -1;
}

int account_tagged_prog_fd(const struct account_kernel *k)
{
	return k->tagged ? bpf_program__fd(k->programs.tagged) : -1;
}
