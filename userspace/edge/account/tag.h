/* SPDX-License-Identifier: MIT */
/* The tags by which the kernel programs know whose bytes a socket carries. */
#ifndef PORTUNUS_EDGE_ACCOUNT_TAG_H
#define PORTUNUS_EDGE_ACCOUNT_TAG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct account_hint;

/* Whose bytes an upstream socket will carry. */
struct account_tag {
	uint64_t rule_id;
	uint64_t slot;	 /* 0: nothing is counted */
	uint8_t prelude; /* bytes of ours that go before the client's */
};

/* What a listener that could not be tagged gives to the sockets it accepts. */
#define ACCOUNT_SLOT_UNTAGGED UINT64_MAX

/*
 * How a socket gets its tag: by a system call, or by a hint to the program that runs in connect().
 * Any thread; account.h says what account_tag_*() and account_connect() do.
 */
struct account_tagger {
	int sockets_fd; /* the map of tags; below 0: counted in user space, every call succeeds */
	struct account_hint *hints; /* by worker; NULL where the kernel lacks what they need */
};

int account_tagger_listener(const struct account_tagger *t, int fd, uint64_t rule_id,
			    uint64_t unassigned_slot, uint64_t expected_slot);
int account_tagger_upstream(const struct account_tagger *t, int fd, uint64_t rule_id,
			    uint64_t slot);
/* @header: bytes that came before the client's, see account_tag_client(). */
int account_tagger_client(const struct account_tagger *t, int fd, uint64_t rule_id, uint64_t slot,
			  uint64_t inherited, unsigned header);
int account_tagger_connect(const struct account_tagger *t, unsigned worker, int fd,
			   const struct sockaddr *sa, socklen_t len, const struct account_tag *tag,
			   bool *counted);

#endif
