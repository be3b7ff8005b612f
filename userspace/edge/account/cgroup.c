// SPDX-License-Identifier: MIT
/* The edge's own cgroup, and the link that puts the program on it. */
#include "edge/account/cgroup.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/account/leftovers.h"
#include "edge/account/pins.h"

/* The mount point of the first cgroup v2 mount, and which part of the hierarchy it shows. */
static int find_cgroup2(char *mount, size_t mount_size, char *root, size_t root_size)
{
	struct libmnt_table *t = mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_iter *i = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	int rc = t && i ? -ENOENT : -ENOMEM;

	while (rc == -ENOENT && mnt_table_next_fs(t, i, &fs) == 0) {
		const char *type = mnt_fs_get_fstype(fs), *shows = mnt_fs_get_root(fs);

		if (!type || strcmp(type, "cgroup2") || !shows)
			continue;
		snprintf(root, root_size, "%s", strcmp(shows, "/") ? shows : "");
		snprintf(mount, mount_size, "%s", mnt_fs_get_target(fs));
		rc = 0;
	}
	mnt_free_iter(i);
	mnt_unref_table(t);
	return rc;
}

int account_own_cgroup(char *buf, size_t size)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char *line = NULL;
	size_t cap = 0;
	int rc = -ENOENT;

	if (!f)
		return -errno;
	while (rc == -ENOENT && getline(&line, &cap, f) > 0) {
		if (strncmp(line, "0::", 3))
			continue;
		line[strcspn(line, "\n")] = '\0';
		rc = snprintf(buf, size, "%s", line + 3) < (int)size ? 0 : -ENAMETOOLONG;
	}
	free(line);
	fclose(f);
	return rc;
}

/* Opens the directory of the cgroup of that name in /proc/self/cgroup. Its fd or -errno. */
static int open_cgroup(const char *own)
{
	char mount[ACCOUNT_PATH_MAX], root[ACCOUNT_PATH_MAX], path[2 * ACCOUNT_PATH_MAX];
	int rc = find_cgroup2(mount, sizeof(mount), root, sizeof(root)), fd;
	size_t r = strlen(root);

	if (rc)
		return rc;
	if (r && !strncmp(own, root, r) && (own[r] == '/' || !own[r]))
		own += r;
	snprintf(path, sizeof(path), "%s%s", mount, strcmp(own, "/") ? own : "");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
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

/* The pinned link, with the program in it, if it is on that cgroup; else it is set aside, or removed when
 * it is on none. Its fd, -ENOENT, or another -errno. */
static int take_link(const struct account_pins *pins, const char *path, int prog_fd, int64_t wanted)
{
	uint32_t id = 0;
	int fd = bpf_obj_get(path), rc;
	int64_t cgroup;

	if (fd < 0)
		return -errno;
	cgroup = link_cgroup(fd, &id);
	if (cgroup == wanted && !bpf_link_update(fd, prog_fd, NULL))
		return fd;
	close(fd);
	if (cgroup > 0 && cgroup != wanted)
		rc = account_leftovers_add_link(pins, id);
	else
		rc = unlink(path) ? -errno : 0;
	return rc ? rc : -ENOENT;
}

static int attach(const struct account_pins *pins, int prog_fd, int cgroup_fd)
{
	char path[ACCOUNT_PATH_MAX + 8];
	struct stat st;
	int fd, rc;

	/* A cgroup's id is its directory's inode number (kernfs). */
	if (fstat(cgroup_fd, &st))
		return -errno;
	snprintf(path, sizeof(path), "%s/link", pins->dir);
	fd = take_link(pins, path, prog_fd, (int64_t)st.st_ino);
	/* It may have been here before. */
	if (fd == -ENOENT && !account_leftovers_take_link(pins, st.st_ino))
		fd = take_link(pins, path, prog_fd, (int64_t)st.st_ino);
	if (fd != -ENOENT)
		return fd;
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

int account_attach_cgroup(const struct account_pins *pins, int prog_fd, const char *own,
			  bool *opened)
{
	int cgroup = open_cgroup(own), link;

	*opened = cgroup >= 0;
	if (cgroup < 0)
		return cgroup;
	link = attach(pins, prog_fd, cgroup);
	close(cgroup);
	return link;
}
