// SPDX-License-Identifier: MIT
/* Loads the kernel programs, with the maps that are pinned already, and attaches them. */
#include "edge/account_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/account.skel.h"
#include "bpf/account_basic.skel.h"
#include "lib/log.h"

/* Whether one of libbpf's warnings matters is for account_open() to say: most are of a variant that
 * this kernel does not take, before one that it does. */
__attribute__((format(printf, 2, 0))) static int print_libbpf(enum libbpf_print_level level,
							      const char *format, va_list args)
{
	static const enum log_level ours[] = {LOG_DEBUG, LOG_DEBUG, LOG_TRACE};
	enum log_level l = ours[level <= LIBBPF_DEBUG ? level : LIBBPF_DEBUG];
	char text[2048];

	if (!log_enabled(l))
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_event(l, "accounting.libbpf", LOGF_STR("message", text));
	return 0;
}

static uint64_t effective_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &head, data))
		return 0;
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}

#define PINNED_MAPS 3
#define HINTS_SIZE  (ACCOUNT_WORKERS_MAX * sizeof(struct account_hint))

static int fail(struct account_failure *f, enum account_stage stage, int rc, const char *path)
{
	f->stage = stage;
	f->error = -rc;
	f->path = path;
	f->capabilities = effective_capabilities();
	f->has_btf = !access("/sys/kernel/btf/vmlinux", F_OK);
	return rc ? rc : -EINVAL;
}

static int make_dirs(struct account *a, struct account_failure *f)
{
	char parent[ACCOUNT_PATH_MAX + 16];

	if (!account_is_bpffs(a->bpffs))
		return fail(f, ACCOUNT_STAGE_BPFFS, -EINVAL, a->bpffs);
	snprintf(parent, sizeof(parent), "%s/portunus", a->bpffs);
	if ((mkdir(parent, 0755) && errno != EEXIST) || (mkdir(a->dir, 0755) && errno != EEXIST))
		return fail(f, ACCOUNT_STAGE_BPFFS, -errno, a->bpffs);
	return 0;
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
static int reuse_map(struct account *a, struct bpf_map *map, struct account_failure *f)
{
	char path[ACCOUNT_PATH_MAX + 32];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/%s", a->dir, bpf_map__name(map));
	fd = bpf_obj_get(path);
	if (fd < 0)
		return errno == ENOENT ? 0 : fail(f, ACCOUNT_STAGE_PINS, -errno, a->dir);
	if (!same_layout(fd, map)) {
		close(fd);
		return fail(f, ACCOUNT_STAGE_LAYOUT, -EINVAL, a->dir);
	}
	rc = bpf_map__reuse_fd(map, fd);
	close(fd);
	return rc ? fail(f, ACCOUNT_STAGE_PINS, rc, a->dir) : 1;
}

static int pin_map(struct account *a, struct bpf_map *map, struct account_failure *f)
{
	char path[ACCOUNT_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", a->dir, bpf_map__name(map));
	if (bpf_obj_pin(bpf_map__fd(map), path) && errno != EEXIST)
		return fail(f, ACCOUNT_STAGE_PINS, -errno, a->dir);
	return 0;
}

/* The kernel says the layout of maps that have the sizes of ours but another meaning. */
static int check_meta(struct account *a, bool fresh, struct account_failure *f)
{
	struct account_meta m = {.layout = ACCOUNT_LAYOUT, .next_slot = 1};
	uint32_t zero = 0;

	a->meta_fd = bpf_map__fd(a->programs.meta);
	if (!fresh && bpf_map_lookup_elem(a->meta_fd, &zero, &m))
		return fail(f, ACCOUNT_STAGE_PINS, -errno, a->dir);
	if (m.layout != ACCOUNT_LAYOUT)
		return fail(f, ACCOUNT_STAGE_LAYOUT, -EINVAL, a->dir);
	if (fresh && bpf_map_update_elem(a->meta_fd, &zero, &m, BPF_ANY))
		return fail(f, ACCOUNT_STAGE_PINS, -errno, a->dir);
	a->next_slot = m.next_slot;
	return 0;
}

/* The cells that account_connect() writes; NULL when they cannot be mapped, then every socket is
 * tagged by a system call. */
static struct account_hint *map_hints(const struct account *a)
{
	void *p = mmap(NULL, HINTS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(a->programs.hints), 0);

	return p == MAP_FAILED ? NULL : p;
}

/* What a kernel may lack without the counts being wrong, by how much of it is missed. */
struct variant {
	const char *kconfig; /* NULL: /proc/config.gz or /boot/config-*, whichever there is */
	bool take_hints;
	bool basic;
};

static const struct variant variants[] = {
	{NULL, true, false},  {"CONFIG_HZ=0\n", true, false},
	{NULL, false, false}, {"CONFIG_HZ=0\n", false, false},
	{NULL, true, true},   {"CONFIG_HZ=0\n", true, true},
	{NULL, false, true},  {"CONFIG_HZ=0\n", false, true},
};

#define N_VARIANTS (sizeof(variants) / sizeof(variants[0]))

/* What both builds have: two types of skeleton, members of the same names. */
#define COMMON_PARTS(s)                                                                     \
	.sockets = (s)->maps.sockets, .targets = (s)->maps.targets, .meta = (s)->maps.meta, \
	.hints = (s)->maps.hints, .events = (s)->maps.events, .account = (s)->progs.account

static int open_full(struct account_programs *p, const struct bpf_object_open_opts *opts,
		     bool take_hints)
{
	struct account_bpf *s = account_bpf__open_opts(opts);

	if (!s)
		return -errno;
	s->rodata->take_hints = take_hints;
	*p = (struct account_programs){
		.full = s,
		COMMON_PARTS(s),
		.refresh = s->progs.refresh,
		.tagged = s->progs.tagged,
		.connections = s->progs.connections,
	};
	return 0;
}

static int open_basic(struct account_programs *p, const struct bpf_object_open_opts *opts,
		      bool take_hints)
{
	struct account_basic_bpf *s = account_basic_bpf__open_opts(opts);

	if (!s)
		return -errno;
	s->rodata->take_hints = take_hints;
	*p = (struct account_programs){
		.basic = s,
		COMMON_PARTS(s),
	};
	return 0;
}

static int load_programs(struct account_programs *p)
{
	return p->full ? account_bpf__load(p->full) : account_basic_bpf__load(p->basic);
}

static bool knows_hz(const struct account_programs *p)
{
	return (p->full ? p->full->kconfig->CONFIG_HZ : p->basic->kconfig->CONFIG_HZ) > 0;
}

static void drop_programs(struct account_programs *p)
{
	account_bpf__destroy(p->full);
	account_basic_bpf__destroy(p->basic);
	*p = (struct account_programs){0};
}

/* Opens and loads one variant of the programs. */
static int load_variant(struct account *a, const struct variant *v, struct bpf_map **pinned,
			size_t n, bool *fresh, struct account_failure *f)
{
	struct bpf_object_open_opts opts;
	int rc;

	/* libbpf looks at the padding too, which LIBBPF_OPTS leaves as it was on the stack. */
	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	opts.kconfig = v->kconfig;
	rc = v->basic ? open_basic(&a->programs, &opts, v->take_hints)
		      : open_full(&a->programs, &opts, v->take_hints);
	if (rc)
		return fail(f, ACCOUNT_STAGE_LOAD, rc, a->dir);
	pinned[0] = a->programs.sockets;
	pinned[1] = a->programs.targets;
	pinned[2] = a->programs.meta;
	for (size_t i = 0; i < n; i++) {
		rc = reuse_map(a, pinned[i], f);
		if (rc < 0)
			return rc;
		fresh[i] = rc == 0;
	}
	rc = load_programs(&a->programs);
	if (rc)
		return fail(f, ACCOUNT_STAGE_LOAD, rc, a->dir);
	a->fast_syn = knows_hz(&a->programs);
	a->hints = v->take_hints ? map_hints(a) : NULL;
	return 0;
}

static int load_object(struct account *a, struct bpf_map **pinned, size_t n, bool *fresh,
		       struct account_failure *f)
{
	int rc = 0;

	for (size_t i = 0; i < N_VARIANTS; i++) {
		if (a->only_basic && !variants[i].basic)
			continue;
		rc = load_variant(a, &variants[i], pinned, n, fresh, f);
		/* Nothing of the programs is at fault for the rest. */
		if (!rc || f->stage != ACCOUNT_STAGE_LOAD || rc == -EPERM)
			return rc;
		drop_programs(&a->programs);
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
static int pin_connections(struct account *a)
{
	char path[ACCOUNT_PATH_MAX + 16];
	struct bpf_link *link;
	int rc;

	snprintf(path, sizeof(path), "%s/connections", a->dir);
	unlink(path);
	if (!a->programs.connections)
		return 0;
	rc = attach_iterator(a->programs.connections, a->sockets_fd, &link);
	if (rc)
		return rc;
	rc = bpf_link__pin(link, path);
	bpf_link__destroy(link);
	return rc;
}

static int attach(struct account *a, struct account_failure *f)
{
	char cgroup[2 * ACCOUNT_PATH_MAX];
	int rc, fd;

	rc = account_cgroup_dir(cgroup, sizeof(cgroup));
	if (rc)
		return fail(f, ACCOUNT_STAGE_CGROUP, rc, "");
	fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(f, ACCOUNT_STAGE_CGROUP, -errno, "of this process");
	a->link_fd = account_attach_cgroup(a, bpf_program__fd(a->programs.account), fd);
	close(fd);
	if (a->link_fd < 0)
		return fail(f, ACCOUNT_STAGE_ATTACH, a->link_fd, "of this process");

	rc = pin_connections(a);
	if (!rc && a->programs.refresh)
		rc = attach_iterator(a->programs.refresh, a->sockets_fd, &a->refresh);
	if (!rc && a->programs.tagged)
		rc = attach_iterator(a->programs.tagged, a->sockets_fd, &a->tagged);
	return rc ? fail(f, ACCOUNT_STAGE_LOAD, rc, a->dir) : 0;
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

static int load_and_attach(struct account *a, bool fresh[PINNED_MAPS], struct account_failure *f)
{
	struct bpf_map *pinned[PINNED_MAPS];
	int rc = load_object(a, pinned, PINNED_MAPS, fresh, f);

	if (rc)
		return rc;
	a->sockets_fd = bpf_map__fd(a->programs.sockets);
	a->targets_fd = bpf_map__fd(a->programs.targets);
	rc = check_meta(a, fresh[2], f);
	for (int i = 0; i < PINNED_MAPS && !rc; i++)
		if (fresh[i])
			rc = pin_map(a, pinned[i], f);
	if (rc)
		return rc;
	rc = attach(a, f);
	if (rc)
		return rc;
	a->events = ring_buffer__new(bpf_map__fd(a->programs.events), on_event, a, NULL);
	if (!a->events)
		return fail(f, ACCOUNT_STAGE_LOAD, -errno, a->dir);
	a->old_pins = account_has_old_pins(a);
	return 0;
}

int account_load(struct account *a, struct account_failure *f)
{
	bool fresh[PINNED_MAPS] = {0};
	int rc;

	libbpf_set_print(print_libbpf);
	rc = make_dirs(a, f);
	if (rc)
		return rc;
	rc = load_and_attach(a, fresh, f);
	/* Of a set of pins that is half made nothing is worth keeping; of an earlier one all is. */
	if (rc && fresh[0] && fresh[1] && fresh[2])
		account_remove_pins(a->bpffs, a->dir);
	else if (rc)
		rmdir(a->dir); /* if it is empty */
	return rc;
}

int account_tagged_prog_fd(const struct account *a)
{
	return bpf_program__fd(a->programs.tagged);
}

/* Leaves the pins: counting goes on. */
void account_unload(struct account *a)
{
	ring_buffer__free(a->events);
	bpf_link__destroy(a->refresh);
	bpf_link__destroy(a->tagged);
	if (a->link_fd >= 0)
		close(a->link_fd);
	drop_programs(&a->programs);
	if (a->hints)
		munmap(a->hints, HINTS_SIZE);
	a->hints = NULL;
	a->events = NULL;
	a->refresh = a->tagged = NULL;
	a->link_fd = a->sockets_fd = a->targets_fd = a->meta_fd = -1;
}
