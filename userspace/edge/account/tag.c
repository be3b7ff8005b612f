// SPDX-License-Identifier: MIT
/* The tags by which the kernel programs know whose bytes a socket carries. */
#include "edge/account/tag.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "bpf/account.h"
#include "lib/base/clock.h"

/* The map's key, seen from user space, is the socket's fd. */
static int set_tag(const struct account_tagger *tagger, int fd, const struct account_socket *t)
{
	if (tagger->sockets_fd < 0)
		return 0;
	if (!t->slot && !t->unassigned)
		return -ENOENT;
	return bpf_map_update_elem(tagger->sockets_fd, &fd, t, BPF_ANY) ? -errno : 0;
}

int account_tagger_listener(const struct account_tagger *tagger, int fd, uint64_t rule_id,
			    uint64_t unassigned_slot, uint64_t expected_slot)
{
	struct account_socket t = {
		.rule_id = rule_id,
		.slot = expected_slot,
		.unassigned = unassigned_slot,
		.side = ACCOUNT_PENDING,
	};

	return set_tag(tagger, fd, &t);
}

/* @introduces: the worker, from 1, whose thread the program shall know by this tag; or 0. */
static int tag_upstream(const struct account_tagger *tagger, int fd, const struct account_tag *tag,
			unsigned introduces)
{
	struct account_socket t = {
		.rule_id = tag->rule_id,
		.slot = tag->slot,
		.side = ACCOUNT_UPSTREAM,
		.flags = introduces << ACCOUNT_WORKER_SHIFT | (uint32_t)tag->prelude
								      << ACCOUNT_PRELUDE_SHIFT,
	};

	return set_tag(tagger, fd, &t);
}

int account_tagger_upstream(const struct account_tagger *tagger, int fd, uint64_t rule_id,
			    uint64_t slot)
{
	return tag_upstream(tagger, fd, &(struct account_tag){.rule_id = rule_id, .slot = slot}, 0);
}

int account_tagger_connect(const struct account_tagger *tagger, unsigned worker, int fd,
			   const struct sockaddr *sa, socklen_t len, const struct account_tag *tag,
			   bool *counted)
{
	bool has_hint = tag->slot && tagger->hints && worker < ACCOUNT_WORKERS_MAX;
	struct account_hint *hint = has_hint ? &tagger->hints[worker] : NULL;
	int rc;

	if (!hint || !__atomic_load_n(&hint->known, __ATOMIC_RELAXED)) {
		*counted = tag_upstream(tagger, fd, tag, hint ? worker + 1 : 0) == 0;
		rc = connect(fd, sa, len) ? -errno : 0;
		/* The program that ran in connect() has said so; else it is of another cgroup. */
		if (hint && (!rc || rc == -EINPROGRESS))
			*counted &= __atomic_load_n(&hint->known, __ATOMIC_RELAXED) != 0;
		return rc;
	}
	/* Read and cleared by the program, in this thread, inside connect(). */
	__atomic_store_n(&hint->prelude, tag->prelude, __ATOMIC_RELAXED);
	__atomic_store_n(&hint->slot, tag->slot, __ATOMIC_RELAXED);
	rc = connect(fd, sa, len) ? -errno : 0;
	if (!rc || rc == -EINPROGRESS)
		*counted = !__atomic_load_n(&hint->slot, __ATOMIC_RELAXED);
	__atomic_store_n(&hint->slot, 0, __ATOMIC_RELAXED);
	return rc;
}

int account_tagger_client(const struct account_tagger *tagger, int fd, uint64_t rule_id,
			  uint64_t slot, uint64_t inherited, unsigned header)
{
	struct account_socket t;
	int rc;

	if (tagger->sockets_fd < 0 || (slot && slot == inherited && !header))
		return 0;
	/* The programs do not follow a socket that was not tagged when it was established. */
	if (inherited == ACCOUNT_SLOT_UNTAGGED)
		return -ENOENT;
	/* As the programs left it when the connection was established. */
	t = (struct account_socket){
		.rule_id = rule_id,
		.slot = slot,
		.side = ACCOUNT_CLIENT,
		.flags = ACCOUNT_F_ESTABLISHED | (header & ACCOUNT_HEADER_MASK)
							 << ACCOUNT_HEADER_SHIFT,
		.tx_limit = ACCOUNT_NO_LIMIT,
		.born_ns = clock_mono_ns(),
	};
	rc = set_tag(tagger, fd, &t);
	/* The tag it was born with names another target. Deleting takes no memory. */
	if (rc)
		bpf_map_delete_elem(tagger->sockets_fd, &fd);
	return rc;
}
