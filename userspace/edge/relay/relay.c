// SPDX-License-Identifier: MIT
/* Moving the bytes of one direction: copied while they come small, spliced while they come big. */
#include "edge/relay/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/log.h"

/* A turn's share: enough to keep the cost of a turn small, little enough that a thousand busy
 * connections still get their turn within milliseconds. */
#define TURN_BYTES (1024 * 1024)

#define BULK_AFTER   2		 /* full reads in a row */
#define SMALL_SPLICE (16 * 1024) /* below this copying costs less (22-30 % at 64 bytes) */
#define COPY_AFTER   4		 /* small splices in a row */

enum step { STEP_GO, STEP_BLOCKED, STEP_BROKEN };

/* Workers have every signal blocked, so there is no EINTR. */
static bool would_block(void)
{
	return errno == EAGAIN;
}

/* The sender's end: a FIN (@n is 0), or an error, after which its queue has been read empty. */
static void sender_ended(struct direction *h, ssize_t n)
{
	h->flags |= DIR_EOF;
	if (n < 0)
		h->flags |= DIR_RESET;
	h->flags &= ~DIR_READABLE;
}

/*
 * Less came than was asked for, so the sender's queue is empty (epoll(7)). If its FIN was known of
 * before the read, there is nothing behind that either: the kernel tells of a FIN (EPOLLRDHUP) only
 * once all before it is in the queue. Both save a recv() that would say just that. An urgent mark
 * also cuts a read short, and an error has to be fetched; both come with an event.
 */
static void short_read(struct direction *h)
{
	if (h->flags & DIR_UNSURE)
		return;
	h->flags &= ~DIR_READABLE;
	if (h->flags & DIR_FIN)
		h->flags |= DIR_EOF;
}

static void set_nodelay(struct direction *h, int dst)
{
	static const int on = 1;

	/* Lazily: a connection with a single request never pays for it. */
	if ((h->flags & DIR_NODELAY) && h->bytes) {
		setsockopt(dst, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		h->flags &= ~DIR_NODELAY;
	}
}

/* Keeps what the receiver did not take. Without memory the connection cannot go on. */
static enum step keep(struct direction *h, const uint8_t *bytes, size_t len)
{
	h->left = malloc(sizeof(*h->left) + len);
	if (!h->left)
		return STEP_BROKEN;
	h->holds = HOLDS_LEFTOVER;
	h->left->at = 0;
	h->left->len = (uint32_t)len;
	memcpy(h->left->bytes, bytes, len);
	return STEP_BLOCKED;
}

static enum step flush_leftover(struct direction *h, int dst)
{
	struct leftover *l = h->left;

	while (l->at < l->len) {
		ssize_t n = send(dst, l->bytes + l->at, l->len - l->at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0) {
			if (!would_block())
				return STEP_BROKEN;
			h->flags &= ~DIR_WRITABLE;
			return STEP_BLOCKED;
		}
		l->at += (uint32_t)n;
		h->bytes += (uint64_t)n;
	}
	free(l);
	h->holds = HOLDS_NOTHING;
	return STEP_GO;
}

static enum step flush_pipe(struct relay_env *env, struct direction *h, int dst)
{
	struct pipe *p = h->pipe;

	while (p->held) {
		/* Never SPLICE_F_MORE: it corks the receiver's socket for up to 200 ms a time. */
		ssize_t n = splice(p->rd, NULL, dst, NULL, p->held,
				   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (n <= 0) {
			if (n < 0 && !would_block())
				return STEP_BROKEN;
			h->flags &= ~DIR_WRITABLE;
			return STEP_BLOCKED;
		}
		p->held -= (uint32_t)n;
		h->bytes += (uint64_t)n;
		env->spliced += (uint64_t)n;
	}
	h->holds = HOLDS_NOTHING;
	pipe_put(&env->pool, p);
	return STEP_GO;
}

/* Moves up to @most bytes; *@moved is what it read. */
static enum step copy_once(struct relay_env *env, struct direction *h, int src, int dst,
			   size_t most, size_t *moved)
{
	const size_t len = most < RELAY_COPY_BYTES ? most : RELAY_COPY_BYTES;
	ssize_t n = recv(src, env->buf, len, MSG_DONTWAIT), sent = 0;

	if (n <= 0) {
		if (n < 0 && would_block())
			h->flags &= ~DIR_READABLE;
		else
			sender_ended(h, n);
		return STEP_GO;
	}
	if ((size_t)n == len) {
		/* Of a sender that is held back to small pieces, copying stays the cheaper. */
		if (n >= SMALL_SPLICE && ++h->streak >= BULK_AFTER && !env->no_splice) {
			h->flags |= DIR_BULK;
			h->streak = 0;
		}
	} else {
		h->streak = 0;
		short_read(h);
	}
	*moved = (size_t)n;
	env->copied += (uint64_t)n;
	set_nodelay(h, dst);
	if (h->flags & DIR_WRITABLE) {
		/* The last bytes wait for the FIN that the caller sends at once: one segment, not two. */
		int last = h->flags & DIR_EOF ? MSG_MORE : 0;

		sent = send(dst, env->buf, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT | last);
		if (sent < 0) {
			if (!would_block())
				return STEP_BROKEN;
			sent = 0;
		}
		h->bytes += (uint64_t)sent;
		if (sent == n)
			return STEP_GO;
		/* tcp_sendmsg took less than all: it has asked for a wake-up (SOCK_NOSPACE). */
		h->flags &= ~DIR_WRITABLE;
	}
	return keep(h, env->buf + sent, (size_t)(n - sent));
}

/*
 * A seccomp profile answers whatever the arguments are, before the kernel looks at them. The same
 * errors from a socket (EACCES after an ICMPv6 "policy failed", say) are that connection's own.
 */
bool relay_splice_refused(int err)
{
	if (err && err != EPERM && err != ENOSYS && err != EACCES)
		return false;
	return splice(-1, NULL, -1, NULL, 1, SPLICE_F_NONBLOCK) < 0 && errno != EBADF;
}

/*
 * splice(2) answered 0 (@err is 0) or an error. An answer of 0 is the sender's end, or an urgent mark
 * which splice never gets past, once the FIN is known; recv(2) gets past it, so only recv says which.
 * So does its EAGAIN where there may be a mark. EINVAL is a socket that cannot be spliced.
 */
static void spliced_nothing(struct relay_env *env, struct direction *h, int err)
{
	if (err && relay_splice_refused(err)) {
		env->no_splice = true;
		log_event(LOG_WARN, "relay.copying", LOGF_STR("error", strerror(err)));
	}
	if (!err || err == EINVAL || env->no_splice || (err == EAGAIN && (h->flags & DIR_UNSURE))) {
		h->flags &= ~DIR_BULK;
		h->streak = 0;
	} else if (err == EAGAIN) {
		h->flags &= ~DIR_READABLE;
	} else {
		sender_ended(h, -1);
	}
}

static enum step splice_once(struct relay_env *env, struct direction *h, int src, int dst,
			     size_t most, size_t *moved, uint64_t now_ns)
{
	struct pipe *p = pipe_get(&env->pool, now_ns);
	ssize_t n;

	if (!p) {
		h->flags &= ~DIR_BULK;
		h->streak = 0;
		return STEP_GO;
	}
	/* The pipe is empty, so EAGAIN can only mean that the socket is: no wake-up is lost. */
	n = splice(src, NULL, p->wr, NULL, most < p->size ? most : p->size,
		   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n <= 0) {
		int err = n < 0 ? errno : 0;

		pipe_put(&env->pool, p);
		spliced_nothing(env, h, err);
		return STEP_GO;
	}
	p->held = (uint32_t)n;
	h->pipe = p;
	h->holds = HOLDS_PIPE;
	if (n >= SMALL_SPLICE) {
		h->streak = 0;
	} else if (++h->streak >= COPY_AFTER) {
		h->flags &= ~DIR_BULK;
		h->streak = 0;
	}
	*moved = (size_t)n;
	set_nodelay(h, dst);
	return h->flags & DIR_WRITABLE ? flush_pipe(env, h, dst) : STEP_BLOCKED;
}

/* Writes what the direction holds. */
static enum step flush(struct relay_env *env, struct direction *h, int dst)
{
	if (!(h->flags & DIR_WRITABLE))
		return STEP_BLOCKED;
	return h->holds == HOLDS_LEFTOVER ? flush_leftover(h, dst) : flush_pipe(env, h, dst);
}

enum relay_result relay_pump(struct relay_env *env, struct direction *h, int src, int dst,
			     uint64_t now_ns, size_t *budget)
{
	size_t turn = 0;

	for (;;) {
		enum step step = STEP_GO;
		size_t moved = 0;

		if (h->holds)
			step = flush(env, h, dst);
		else if (h->flags & DIR_EOF)
			return RELAY_DONE;
		else if (!(h->flags & DIR_READABLE))
			return RELAY_BLOCKED;
		else if (!*budget)
			return RELAY_SPENT;
		else if (turn >= TURN_BYTES)
			return RELAY_AGAIN;
		else if ((h->flags & DIR_BULK) && !env->no_splice)
			step = splice_once(env, h, src, dst, *budget, &moved, now_ns);
		else
			step = copy_once(env, h, src, dst, *budget, &moved);
		*budget -= moved;
		if (step == STEP_BROKEN)
			return RELAY_BROKEN;
		if (step == STEP_BLOCKED)
			return RELAY_BLOCKED;
		turn += moved;
	}
}

void relay_drop(struct relay_env *env, struct direction *h)
{
	if (h->holds == HOLDS_LEFTOVER)
		free(h->left);
	else if (h->holds == HOLDS_PIPE)
		pipe_put(&env->pool, h->pipe);
	h->holds = HOLDS_NOTHING;
}
