// SPDX-License-Identifier: MIT
/* The hand-over: when a connection may leave user space, and the tries to do it. */
#include "edge/kernelrelay/handover.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "edge/kernelrelay/entry.h"
#include "edge/kernelrelay/joined.h"
#include "edge/kernelrelay/share.h"
#include "edge/target/path.h"
#include "lib/base/container_of.h"

/* "auto" waits until a connection has shown that it talks: a hand-over costs about as much as relaying two
 * messages does. Two round trips are four turns of the relay. */
#define AUTO_TURNS 4
#define AUTO_BYTES (256 * 1024)
/* Joined legs are one long path to TCP, with one window, which recovers from a loss on either only from end to
 * end. Seen with bulk: half as fast again as user space where there is no distance, a quarter slower with both
 * legs at 2 ms, half as fast at 20 ms. */
#define AUTO_NEAR_US 500
/* A connection that was never quiet in so many tries is asked seldom from then on. */
#define TRIES_EACH 64
#define TRIES_MAX  31

_Static_assert((int)PATH_SLOT - (int)PATH_UNREAD == (int)RELAY_FLIP_SLOT - (int)RELAY_FLIP_UNREAD,
	       "the reasons are those of the program, in its order");

static enum path_reason reason_of(int flip)
{
	return flip < RELAY_FLIP_UNREAD || flip > RELAY_FLIP_SLOT
		       ? PATH_LOCAL
		       : (enum path_reason)(flip - RELAY_FLIP_UNREAD + PATH_UNREAD);
}

/* What stays as it is for as long as the connection lives. */
static bool is_final(enum path_reason reason)
{
	switch (reason) {
	case PATH_DISTANT:
	case PATH_OPTIONS:
	case PATH_FAMILY:
	case PATH_ENDING:
	case PATH_TIMESTAMPS:
	case PATH_CLOCK:
	case PATH_SACK:
	case PATH_ECN:
	case PATH_MSS:
	case PATH_ROUTE:
	case PATH_SIGNED:
	case PATH_MPTCP:
	case PATH_URGENT:
	case PATH_SLOT:
		return true;
	default:
		return false;
	}
}

static void refuse(struct relay_share *s, struct conn *c, enum path_reason reason)
{
	/* What kept it until its end says more than the end. */
	if (reason != PATH_ENDING || c->path == PATH_ASKED)
		c->path = reason;
	if (!is_final(reason))
		return;
	c->path_final = true;
	if (c->kernel_slot)
		relay_entry_abandon(s, c);
}

/* The shortest round trip so far, the handshake's among them: a busy host makes others longer. */
static uint32_t rtt_us(int fd)
{
	struct tcp_info ti;
	socklen_t len = sizeof(ti);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len) < 0 ? UINT32_MAX : ti.tcpi_min_rtt;
}

static bool has_ended(const struct conn *c)
{
	return (c->direction[CLIENT].flags | c->direction[TARGET].flags) &
	       (DIR_EOF | DIR_RESET | DIR_OVER | DIR_FIN);
}

/* What speaks against it before the kernel is asked; PATH_KERNEL: nothing. */
static enum path_reason objection(const struct conn *c)
{
	const struct rule *r = c->service->rule;
	uint64_t bytes = c->direction[CLIENT].bytes + c->direction[TARGET].bytes;

	if (has_ended(c))
		return PATH_ENDING;
	if (c->permit || admit_shapes(&c->service->admission, ADMIT_IN) ||
	    admit_shapes(&c->service->admission, ADMIT_OUT))
		return PATH_CAPPED;
	if (c->direction[CLIENT].holds || c->direction[TARGET].holds)
		return PATH_UNSENT;
	if (r->relay == RULE_RELAY_KERNEL || c->kernel_slot)
		return PATH_KERNEL;
	if (r->idle_timeout_secs || r->half_close_timeout_secs)
		return PATH_OPTIONS;
	if (bytes < AUTO_BYTES && (c->tries < AUTO_TURNS || !c->direction[TARGET].bytes))
		return PATH_YOUNG;
	if (rtt_us(c->fd[TARGET]) > AUTO_NEAR_US || rtt_us(c->fd[CLIENT]) > AUTO_NEAR_US)
		return PATH_DISTANT;
	return PATH_KERNEL;
}

/* An acknowledgement that the kernel puts off is sent at once. */
static void acknowledge(const struct conn *c)
{
	static const int on = 1;

	for (int leg = CLIENT; leg <= TARGET; leg++)
		setsockopt(c->fd[leg], IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

static void flip(struct relay_share *s, struct conn *c)
{
	struct relay_pair *p = relay_pair_of(s, relay_slot_of(c));
	int rc = RELAY_FLIP_RACE;

	p->before[CLIENT] = c->direction[CLIENT].bytes;
	p->before[TARGET] = c->direction[TARGET].bytes;
	for (int i = 0; i < 3 && (rc == RELAY_FLIP_RACE || rc == RELAY_FLIP_ACK_OWED); i++) {
		if (rc == RELAY_FLIP_ACK_OWED)
			acknowledge(c);
		rc = relay_programs_flip(&s->relay->programs, relay_slot_of(c));
	}
	if (rc != RELAY_FLIP_DONE) {
		refuse(s, c, reason_of(rc));
		return;
	}
	c->path = PATH_KERNEL;
	relay_joined_begin(s, c);
}

void relay_offer(struct conn_kernel *hooks, struct conn *c)
{
	struct relay_share *s = container_of(hooks, struct relay_share, hooks);
	enum path_reason reason;

	if (c->path_final)
		return;
	if (!s->begun) {
		c->path = PATH_UNAVAILABLE;
		return;
	}
	if (c->tries < TRIES_MAX)
		c->tries++;
	/* Whatever the clock says is as good as chance. */
	else if (s->env->loop->now_ns / 4096 % TRIES_EACH)
		return;
	reason = objection(c);
	if (reason != PATH_KERNEL) {
		refuse(s, c, reason);
		return;
	}
	if (c->kernel_slot) {
		flip(s, c);
		return;
	}
	reason = (enum path_reason)relay_entry_observe(s, c);
	refuse(s, c, reason == PATH_KERNEL ? PATH_UNSEEN : reason);
}
