// SPDX-License-Identifier: MIT
/* The programs at the interfaces: attached to those there are, again when some come or go. */
#include "edge/kernelrelay/links.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "edge/kernelrelay/programs.h"

/* enum bpf_attach_type since Linux 6.6; headers of Debian 12 and libbpf 1.1 are older. */
enum { TCX_INGRESS = 46, TCX_EGRESS = 47 };

/* union bpf_attr's part of BPF_LINK_CREATE for tcx. */
struct tcx_create {
	uint32_t prog_fd, ifindex, attach_type, flags;
	uint32_t relative_fd, pad;
	uint64_t expected_revision;
	uint8_t rest[64];
};

static void path_of(const struct relay_programs *p, unsigned ifindex, const char *way, char *buf,
		    size_t size)
{
	snprintf(buf, size, "%s/link-%u-%s", p->dir, ifindex, way);
}

static int create(int prog_fd, unsigned ifindex, uint32_t type)
{
	struct tcx_create attr = {.prog_fd = (uint32_t)prog_fd,
				  .ifindex = ifindex,
				  .attach_type = type};
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

/* A pinned link that still works gets the new program; @fresh: it has it already. */
static bool is_attached(const char *path, int prog_fd)
{
	struct bpf_link_info info;
	uint32_t len = sizeof(info);
	struct bpf_prog_info prog = {0};
	uint32_t prog_len = sizeof(prog);
	int fd = bpf_obj_get(path);
	bool ok;

	if (fd < 0)
		return false;
	memset(&info, 0, sizeof(info));
	ok = !bpf_obj_get_info_by_fd(prog_fd, &prog, &prog_len) &&
	     !bpf_obj_get_info_by_fd(fd, &info, &len) && info.prog_id == prog.id;
	if (!ok)
		ok = !bpf_link_update(fd, prog_fd, NULL);
	/* Of a device that is gone the link is there and attached to nothing. The first member of the
	 * kind's own part is the interface. */
	if (ok && !bpf_obj_get_info_by_fd(fd, &info, &len))
		ok = *(const uint32_t *)((const char *)&info + 16) != 0;
	close(fd);
	return ok;
}

static int attach(const struct relay_programs *p, unsigned ifindex, bool in)
{
	int prog_fd = in ? p->ingress_fd : p->egress_fd, fd, rc = 0;
	char path[RELAY_PATH_MAX + 64];

	path_of(p, ifindex, in ? "in" : "out", path, sizeof(path));
	if (is_attached(path, prog_fd))
		return 0;
	unlink(path);
	fd = create(prog_fd, ifindex, in ? TCX_INGRESS : TCX_EGRESS);
	if (fd < 0)
		return fd;
	if (bpf_obj_pin(fd, path))
		rc = -errno;
	close(fd);
	return rc;
}

/* Other devices have other headers, or none. */
static bool has_ethernet(int sock, const char *name)
{
	struct ifreq r = {0};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return !ioctl(sock, SIOCGIFHWADDR, &r) && (r.ifr_hwaddr.sa_family == ARPHRD_ETHER ||
						   r.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK);
}

static void forget_gone(const struct relay_programs *p)
{
	DIR *d = opendir(p->dir);
	char name[IF_NAMESIZE];
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d)))
		if (!strncmp(e->d_name, "link-", 5) &&
		    !if_indextoname((unsigned)strtoul(e->d_name + 5, NULL, 10), name))
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
}

int relay_links_sync(const struct relay_programs *p)
{
	struct if_nameindex *all = if_nameindex();
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), first = 0;

	for (struct if_nameindex *i = all; i && i->if_index; i++) {
		int rc;

		if (!has_ethernet(sock, i->if_name))
			continue;
		/* What may leave is limited before anything is taken in. */
		rc = attach(p, i->if_index, false);
		if (!rc)
			rc = attach(p, i->if_index, true);
		if (rc && rc != -ENODEV && !first)
			first = rc;
	}
	if (all)
		if_freenameindex(all);
	if (sock >= 0)
		close(sock);
	forget_gone(p);
	return first;
}
