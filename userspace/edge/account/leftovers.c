// SPDX-License-Identifier: MIT
/* What earlier processes left in bpffs because sockets of theirs were still open. */
#include "edge/account/leftovers.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf/account.h"
#include "edge/account/pins.h"

/* bpffs keeps names with a dot for itself (EPERM), hence no "link.old". */
#define OLD_LINK "link-old-"

int account_leftovers_add_link(const struct account_pins *p, uint32_t id)
{
	char old[32];

	snprintf(old, sizeof(old), OLD_LINK "%u", id);
	return renameat(p->lock_fd, "link", p->lock_fd, old) ? -errno : 0;
}

struct wanted_link {
	const struct account_pins *pins;
	uint64_t cgroup;
};

/* -EEXIST ends the walk: it was found, and is "link" again. */
static int take_old_link(int dir_fd, const char *name, void *arg)
{
	const struct wanted_link *w = arg;
	char path[2 * ACCOUNT_PATH_MAX];
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);
	int fd;

	if (strncmp(name, OLD_LINK, strlen(OLD_LINK)))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", w->pins->dir, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) || info.type != BPF_LINK_TYPE_CGROUP ||
	    info.cgroup.cgroup_id != w->cgroup) {
		close(fd);
		return 0;
	}
	close(fd);
	return renameat(dir_fd, name, dir_fd, "link") ? -errno : -EEXIST;
}

int account_leftovers_take_link(const struct account_pins *p, uint64_t cgroup)
{
	struct wanted_link w = {.pins = p, .cgroup = cgroup};

	return account_pin_dir_each(p->lock_fd, take_old_link, &w) == -EEXIST ? 0 : -ENOENT;
}

static int remove_old_link(int dir_fd, const char *name, void *arg)
{
	if (!strncmp(name, OLD_LINK, strlen(OLD_LINK)))
		unlinkat(dir_fd, name, 0);
	return 0;
}

void account_leftovers_drop_links(const struct account_pins *p)
{
	account_pin_dir_each(p->lock_fd, remove_old_link, NULL);
}

static int count_old_link(int dir_fd, const char *name, void *arg)
{
	*(bool *)arg |= !strncmp(name, OLD_LINK, strlen(OLD_LINK));
	return 0;
}

static bool version_exists(const struct account_pins *p, int version)
{
	int fd = account_pin_dir_open(p->bpffs, version, p->instance);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool account_leftovers_found(const struct account_pins *p)
{
	bool found = false;

	account_pin_dir_each(p->lock_fd, count_old_link, &found);
	for (int v = 1; v < ACCOUNT_ABI && !found; v++)
		found = version_exists(p, v);
	return found;
}

/* Whether a socket carries a tag of the maps pinned in @dir, which are of another version. */
static bool version_in_use(int tagged_prog_fd, const char *dir)
{
	char path[ACCOUNT_PATH_MAX + 8];
	union bpf_iter_link_info info = {0};
	struct bpf_link_create_opts opts;
	int map, link, iter = -1;
	char byte;
	bool used = true;

	snprintf(path, sizeof(path), "%s/sockets", dir);
	map = bpf_obj_get(path);
	if (map < 0)
		return errno != ENOENT;
	info.map.map_fd = (uint32_t)map;
	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	opts.iter_info = &info;
	opts.iter_info_len = sizeof(info);
	link = bpf_link_create(tagged_prog_fd, 0, BPF_TRACE_ITER, &opts);
	if (link >= 0)
		iter = bpf_iter_create(link);
	if (iter >= 0) {
		used = read(iter, &byte, 1) != 0;
		close(iter);
	}
	if (link >= 0)
		close(link);
	close(map);
	return used;
}

void account_leftovers_drop(const struct account_pins *p, int tagged_prog_fd, bool links_idle,
			    bool lingered)
{
	char dir[ACCOUNT_PATH_MAX];
	int removed = 0;

	if (links_idle)
		account_leftovers_drop_links(p);
	for (int v = 1; v < ACCOUNT_ABI; v++)
		if (version_exists(p, v) &&
		    !account_pin_dir(dir, sizeof(dir), p->bpffs, v, p->instance) &&
		    (tagged_prog_fd < 0 ? lingered : !version_in_use(tagged_prog_fd, dir)))
			account_pin_dir_remove(p->bpffs, v, p->instance, &removed);
}
