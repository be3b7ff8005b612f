// SPDX-License-Identifier: MIT
/* The programs of the kernel relay and their maps: loaded, or taken over from the process before. */
#include "edge/kernelrelay/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/relay.skel.h"

#define PAIRS_BYTES (sizeof(struct relay_pair) * RELAY_PAIRS)

int relay_pin_dir(char *buf, size_t size, const char *bpffs, const char *instance)
{
	int n = snprintf(buf, size, "%s/portunus/relay-v%d%s%s", bpffs, RELAY_ABI,
			 *instance ? "-" : "", instance);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int unpin_dir(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	if (!d)
		return 0;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && !unlinkat(dirfd(d), e->d_name, 0))
			n++;
	closedir(d);
	rmdir(dir);
	return n;
}

int relay_unpin(const char *bpffs, const char *instance)
{
	char dir[RELAY_PATH_MAX];

	return relay_pin_dir(dir, sizeof(dir), bpffs, instance) ? 0 : unpin_dir(dir);
}

void relay_programs_unpin(const struct relay_programs *p)
{
	unpin_dir(p->dir);
}

static int make_dir(const struct relay_programs *p, const char *bpffs)
{
	char parent[RELAY_PATH_MAX];

	snprintf(parent, sizeof(parent), "%s/portunus", bpffs);
	if ((mkdir(parent, 0755) && errno != EEXIST) || (mkdir(p->dir, 0700) && errno != EEXIST))
		return -errno;
	return 0;
}

static int get_pinned(const struct relay_programs *p, const char *name, uint32_t value_size)
{
	char path[RELAY_PATH_MAX + 32];
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	int fd;

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.value_size == value_size)
		return fd;
	close(fd);
	return -EINVAL;
}

/* Both maps of an earlier process, or none. */
static void reuse(struct relay_programs *p)
{
	int tuples = get_pinned(p, "tuples", sizeof(uint32_t));
	int pairs = get_pinned(p, "pairs", sizeof(struct relay_pair));

	p->found = tuples >= 0 && pairs >= 0 &&
		   !bpf_map__reuse_fd(p->skeleton->maps.tuples, tuples) &&
		   !bpf_map__reuse_fd(p->skeleton->maps.pairs, pairs);
	if (tuples >= 0)
		close(tuples);
	if (pairs >= 0)
		close(pairs);
	if (!p->found)
		unpin_dir(p->dir);
}

static int pin(const struct relay_programs *p, const struct bpf_map *map, const char *name)
{
	char path[RELAY_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	return bpf_obj_pin(bpf_map__fd(map), path) ? -errno : 0;
}

static int load(struct relay_programs *p, const char *bpffs, int targets_fd)
{
	struct relay_bpf *s = relay_bpf__open();
	int rc;

	if (!s)
		return -errno;
	p->skeleton = s;
	s->rodata->lo_ifindex = if_nametoindex("lo");
	rc = make_dir(p, bpffs);
	if (rc)
		return rc;
	reuse(p);
	if (!p->found)
		rc = make_dir(p, bpffs);
	if (!rc && targets_fd >= 0)
		rc = bpf_map__reuse_fd(s->maps.targets, targets_fd);
	else if (!rc)
		rc = bpf_map__set_max_entries(s->maps.targets, 1);
	if (!rc)
		rc = relay_bpf__load(s);
	if (!rc && !p->found) {
		rc = pin(p, s->maps.tuples, "tuples");
		if (!rc)
			rc = pin(p, s->maps.pairs, "pairs");
	}
	return rc;
}

int relay_programs_open(struct relay_programs *p, const char *bpffs, const char *instance,
			int targets_fd, char *why, size_t size)
{
	int rc;

	memset(p, 0, sizeof(*p));
	rc = relay_pin_dir(p->dir, sizeof(p->dir), bpffs, instance);
	if (!rc)
		rc = load(p, bpffs, targets_fd);
	if (rc) {
		snprintf(why, size, "the programs of the kernel relay could not be loaded: %s",
			 strerror(-rc));
		goto failed;
	}
	p->tuples_fd = bpf_map__fd(p->skeleton->maps.tuples);
	p->rings_fd = bpf_map__fd(p->skeleton->maps.rings);
	p->flip_fd = bpf_program__fd(p->skeleton->progs.flip);
	p->fold_fd = bpf_program__fd(p->skeleton->progs.fold);
	p->ingress_fd = bpf_program__fd(p->skeleton->progs.ingress);
	p->egress_fd = bpf_program__fd(p->skeleton->progs.egress);
	p->hush_fd = bpf_program__fd(p->skeleton->progs.hush);
	p->pairs = mmap(NULL, PAIRS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(p->skeleton->maps.pairs), 0);
	if (p->pairs != MAP_FAILED)
		return 0;
	rc = -errno;
	snprintf(why, size, "the map of the kernel relay could not be mapped: %s", strerror(-rc));
failed:
	p->pairs = NULL;
	relay_programs_close(p);
	return rc;
}

void relay_programs_close(struct relay_programs *p)
{
	if (p->pairs)
		munmap(p->pairs, PAIRS_BYTES);
	relay_bpf__destroy(p->skeleton);
	p->pairs = NULL;
	p->skeleton = NULL;
}

/* The programs see a packet of an Ethernet header and the request. */
static int run(int fd, uint32_t slot, uint32_t end)
{
	struct {
		uint8_t ethernet[14];
		struct relay_request request;
		uint8_t rest[18];
	} __attribute__((packed)) packet = {.request = {.slot = slot, .end = end}};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &packet, .data_size_in = sizeof(packet),
		    .repeat = 1, );

	return bpf_prog_test_run_opts(fd, &opts) ? -errno : (int)opts.retval;
}

int relay_programs_flip(const struct relay_programs *p, uint32_t slot)
{
	return run(p->flip_fd, slot, 0);
}

void relay_programs_fold(const struct relay_programs *p, uint32_t slot, uint32_t end)
{
	run(p->fold_fd, slot, end);
}
