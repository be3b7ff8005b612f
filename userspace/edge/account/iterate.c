// SPDX-License-Identifier: MIT
/* Running the kernel programs' iterators, and what the one over all tagged sockets says. */
#include "edge/account/iterate.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "bpf/account.h"

int account_iterate(int link_fd, void **out, size_t *len)
{
	int fd = bpf_iter_create(link_fd);
	char *data = NULL;
	size_t n = 0, size = 0;
	int rc = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t got;

		if (size - n < 4096) {
			char *more = realloc(data, size = size ? 2 * size : 16384);

			if (!more) {
				rc = -ENOMEM;
				break;
			}
			data = more;
		}
		got = read(fd, data + n, size - n);
		/* EAGAIN: it has walked a million sockets in one call; the next goes on from there. */
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0) {
			rc = got ? -errno : 0;
			break;
		}
		n += out ? (size_t)got : 0;
	}
	close(fd);
	if (out && !rc) {
		*out = data;
		*len = n;
	} else {
		free(data);
	}
	return rc;
}

static int by_slot(const void *a, const void *b)
{
	uint64_t x = ((const struct account_tagged *)a)->slot;
	uint64_t y = ((const struct account_tagged *)b)->slot;

	return (x > y) - (x < y);
}

int account_in_use_read(int link_fd, struct account_in_use *u)
{
	void *data;
	size_t len;
	int rc = account_iterate(link_fd, &data, &len);

	if (rc)
		return rc;
	u->tags = data;
	u->n = len / sizeof(*u->tags);
	if (u->n)
		qsort(u->tags, u->n, sizeof(*u->tags), by_slot);
	return 0;
}

bool account_in_use_has(const struct account_in_use *u, uint64_t slot)
{
	struct account_tagged key = {.slot = slot};

	return u->n && bsearch(&key, u->tags, u->n, sizeof(key), by_slot);
}

bool account_in_use_since(const struct account_in_use *u, uint64_t before_ns)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->tags[i].born_ns && u->tags[i].born_ns < before_ns)
			return true;
	return false;
}

void account_in_use_free(struct account_in_use *u)
{
	free(u->tags);
	u->tags = NULL;
	u->n = 0;
}
