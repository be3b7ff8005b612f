// SPDX-License-Identifier: MIT
/* The module's files in bpffs, the cgroup it attaches to, and what outlives a restart. */
#include "edge/account_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/clock.h"

/* bpffs keeps names with a dot for itself (EPERM), hence no "link.old". */
#define OLD_LINK "link-old-"

int account_pin_dir(char *buf, size_t size, const char *bpffs, int version, const char *instance)
{
	int n = snprintf(buf, size, "%s/portunus/v%d%s%s", bpffs, version, *instance ? "-" : "",
			 instance);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

bool account_is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/* The mount point of the first cgroup v2 mount, and which part of the hierarchy it shows. */
static int find_cgroup2(char *mount, size_t mount_size, char *root, size_t root_size)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t cap = 0;
	int rc = -ENOENT;

	if (!f)
		return -errno;
	while (rc && getline(&line, &cap, f) > 0) {
		char r[ACCOUNT_PATH_MAX], m[ACCOUNT_PATH_MAX];
		const char *type = strstr(line, " - ");

		if (!type || strncmp(type + 3, "cgroup2 ", 8) ||
		    sscanf(line, "%*s %*s %*s %511s %511s", r, m) != 2)
			continue;
		snprintf(root, root_size, "%s", strcmp(r, "/") ? r : "");
		snprintf(mount, mount_size, "%s", m);
		rc = 0;
	}
	free(line);
	fclose(f);
	return rc;
}

int account_cgroup_dir(char *buf, size_t size)
{
	char mount[ACCOUNT_PATH_MAX], root[ACCOUNT_PATH_MAX];
	char *line = NULL, *own = NULL;
	size_t cap = 0;
	int rc = find_cgroup2(mount, sizeof(mount), root, sizeof(root));
	FILE *f;

	if (rc)
		return rc;
	f = fopen("/proc/self/cgroup", "re");
	if (!f)
		return -errno;
	while (!own && getline(&line, &cap, f) > 0)
		if (!strncmp(line, "0::", 3))
			own = line + 3;
	rc = -ENOENT;
	if (own) {
		size_t r = strlen(root);

		own[strcspn(own, "\n")] = '\0';
		if (r && !strncmp(own, root, r) && (own[r] == '/' || !own[r]))
			own += r;
		rc = snprintf(buf, size, "%s%s", mount, strcmp(own, "/") ? own : "") >= (int)size
			     ? -ENAMETOOLONG
			     : 0;
	}
	free(line);
	fclose(f);
	return rc;
}

/* The id of the cgroup a link is on, 0 when it is on none any more; or -errno. */
static int64_t link_cgroup(int link_fd, uint32_t *link_id)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(link_fd, &info, &len))
		return -errno;
	*link_id = info.id;
	return info.type == BPF_LINK_TYPE_CGROUP ? (int64_t)info.cgroup.cgroup_id : -EINVAL;
}

/* Sets aside a pinned link of another cgroup: its sockets are still being counted. */
static int keep_old_link(const char *path, const char *dir, uint32_t id)
{
	char old[ACCOUNT_PATH_MAX + 32];

	snprintf(old, sizeof(old), "%s/" OLD_LINK "%u", dir, id);
	return rename(path, old) ? -errno : 0;
}

int account_attach_cgroup(struct account *a, int prog_fd, int cgroup_fd)
{
	char path[ACCOUNT_PATH_MAX + 8];
	struct stat st;
	uint32_t id = 0;
	int fd, rc;

	if (fstat(cgroup_fd, &st))
		return -errno;
	snprintf(path, sizeof(path), "%s/link", a->dir);
	fd = bpf_obj_get(path);
	if (fd >= 0) {
		int64_t cgroup = link_cgroup(fd, &id);

		/* A cgroup's id is its directory's inode number (kernfs). */
		if (cgroup == (int64_t)st.st_ino && !bpf_link_update(fd, prog_fd, NULL))
			return fd;
		close(fd);
		rc = cgroup > 0 && cgroup != (int64_t)st.st_ino ? keep_old_link(path, a->dir, id)
								: (unlink(path) ? -errno : 0);
		if (rc)
			return rc;
	} else if (errno != ENOENT) {
		return -errno;
	}
	fd = bpf_link_create(prog_fd, cgroup_fd, BPF_CGROUP_SOCK_OPS, NULL);
	if (fd < 0)
		return -errno;
	if (bpf_obj_pin(fd, path)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/*
 * Calls @visit for each entry of a directory; -errno when that cannot be read. An entry that is
 * removed meanwhile does not disturb the walk.
 */
static int each_entry(const char *dir, int (*visit)(const char *path, const char *name, void *arg),
		      void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return -errno;
	while (rc >= 0 && (e = readdir(d))) {
		char path[2 * ACCOUNT_PATH_MAX];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		rc = visit(path, e->d_name, arg);
	}
	closedir(d);
	return rc < 0 ? rc : 0;
}

static int remove_pin(const char *path, const char *name, void *arg)
{
	int *removed = arg;

	if (unlink(path))
		return -errno;
	++*removed;
	return 0;
}

static int remove_pins(const char *dir, int *removed)
{
	int rc = each_entry(dir, remove_pin, removed);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	return rmdir(dir) ? -errno : 0;
}

void account_remove_pins(const char *bpffs, const char *dir)
{
	char parent[ACCOUNT_PATH_MAX + 16];
	int removed = 0;

	remove_pins(dir, &removed);
	/* Shared by all instances: goes with the last one. */
	snprintf(parent, sizeof(parent), "%s/portunus", bpffs);
	rmdir(parent);
}

static int remove_old_link(const char *path, const char *name, void *arg)
{
	if (!strncmp(name, OLD_LINK, strlen(OLD_LINK)))
		unlink(path);
	return 0;
}

static int count_old_link(const char *path, const char *name, void *arg)
{
	*(bool *)arg |= !strncmp(name, OLD_LINK, strlen(OLD_LINK));
	return 0;
}

bool account_has_old_pins(const struct account *a)
{
	char dir[ACCOUNT_PATH_MAX];
	bool found = false;

	each_entry(a->dir, count_old_link, &found);
	for (int v = 1; v < ACCOUNT_ABI && !found; v++)
		found = !account_pin_dir(dir, sizeof(dir), a->bpffs, v, a->instance) &&
			!access(dir, F_OK);
	return found;
}

/* Whether a socket carries a tag of the maps pinned in @dir, which are of another version. */
static bool version_in_use(struct account *a, const char *dir)
{
	char path[ACCOUNT_PATH_MAX + 8];
	union bpf_iter_link_info info = {0};
	struct bpf_link_create_opts opts;
	int map, link, iter = -1;
	char byte;
	bool used = true;

	if (!a->tagged)
		return clock_mono_ns() - a->opened_ns < ACCOUNT_LINGER_NS;
	snprintf(path, sizeof(path), "%s/sockets", dir);
	map = bpf_obj_get(path);
	if (map < 0)
		return errno != ENOENT;
	info.map.map_fd = (uint32_t)map;
	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	opts.iter_info = &info;
	opts.iter_info_len = sizeof(info);
	link = bpf_link_create(account_tagged_prog_fd(a), 0, BPF_TRACE_ITER, &opts);
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

void account_drop_old_pins(struct account *a, bool links_idle)
{
	char dir[ACCOUNT_PATH_MAX];
	int removed = 0;

	if (links_idle)
		each_entry(a->dir, remove_old_link, NULL);
	for (int v = 1; v < ACCOUNT_ABI; v++)
		if (!account_pin_dir(dir, sizeof(dir), a->bpffs, v, a->instance) &&
		    !access(dir, F_OK) && !version_in_use(a, dir))
			remove_pins(dir, &removed);
	a->old_pins = account_has_old_pins(a);
}

int account_unpin(const char *bpffs, const char *instance)
{
	char dir[ACCOUNT_PATH_MAX];
	int removed = 0, rc;

	for (int v = 1; v <= ACCOUNT_ABI; v++) {
		rc = account_pin_dir(dir, sizeof(dir), bpffs, v, instance ? instance : "");
		if (!rc)
			rc = remove_pins(dir, &removed);
		if (rc)
			return rc;
	}
	snprintf(dir, sizeof(dir), "%s/portunus", bpffs);
	rmdir(dir);
	return removed;
}
