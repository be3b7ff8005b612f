// SPDX-License-Identifier: MIT
/* Pipes for splice(2): an idle connection holds none, a busy direction borrows one. */
#include "edge/relay/pipe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"

/* An empty pipe pins no memory but costs two fds and about 5 KiB of slab. */
#define IDLE_MAX 128

static void destroy(struct pipe *p)
{
	close(p->rd);
	close(p->wr);
	free(p);
}

/*
 * The largest size there is for a new pipe, or less than PIPE_LEAST. pipe(7): above pipe-max-size, and
 * where all pipes of the user would have more than pipe-user-pages-soft, the unprivileged get EPERM.
 */
static int resize(int fd)
{
	int size = -1;

	for (int want = PIPE_BYTES; size < 0 && want >= PIPE_LEAST; want /= 2)
		size = fcntl(fd, F_SETPIPE_SZ, want);
	return size;
}

static struct pipe *create(void)
{
	struct pipe *p = calloc(1, sizeof(*p));
	int fds[2];
	int size;

	if (!p)
		return NULL;
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0) {
		free(p);
		return NULL;
	}
	p->rd = fds[0];
	p->wr = fds[1];
	size = resize(p->wr);
	if (size < PIPE_LEAST) {
		destroy(p);
		return NULL;
	}
	p->size = (uint32_t)size;
	return p;
}

struct pipe *pipe_get(struct pipe_pool *pool, uint64_t now_ns)
{
	struct pipe *p = SLIST_FIRST(&pool->idle);

	if (p) {
		SLIST_REMOVE_HEAD(&pool->idle, entry);
		pool->n_idle--;
		pool->n_lent++;
		return p;
	}
	if (now_ns < pool->retry_at_ns)
		return NULL;
	p = create();
	if (!p) {
		pool->refused++;
		pool->retry_at_ns = now_ns + NS_PER_SEC;
		return NULL;
	}
	pool->n_lent++;
	return p;
}

void pipe_put(struct pipe_pool *pool, struct pipe *p)
{
	pool->n_lent--;
	/* A small one was made in a moment of need. */
	if (p->held || p->size < PIPE_BYTES || pool->n_idle >= IDLE_MAX) {
		destroy(p);
		return;
	}
	SLIST_INSERT_HEAD(&pool->idle, p, entry);
	pool->n_idle++;
}

void pipe_pool_trim(struct pipe_pool *pool, unsigned keep)
{
	while (pool->n_idle > keep) {
		struct pipe *p = SLIST_FIRST(&pool->idle);

		SLIST_REMOVE_HEAD(&pool->idle, entry);
		pool->n_idle--;
		destroy(p);
	}
}
