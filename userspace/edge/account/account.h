/* SPDX-License-Identifier: MIT */
/* Accounting of connections in the kernel: puts its parts together. */
#ifndef PORTUNUS_EDGE_ACCOUNT_ACCOUNT_H
#define PORTUNUS_EDGE_ACCOUNT_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "edge/account/identity.h"
#include "edge/account/record.h"
#include "edge/account/tag.h"

struct account;

enum account_mode { ACCOUNT_BPF, ACCOUNT_USER };

struct account_config {
	const char *instance; /* NULL or "" for the default one */
	const char *bpffs;    /* normally "/sys/fs/bpf" */
	const char *scope;    /* whose rule ids these are: "file:" or "<server pin>/<client id>" */
	bool disable;	      /* the operator asked for user-space counts */
	bool basic;	      /* for tests: the programs that kernels before 5.12 get */
	/*
	 * News from the kernel, in the thread that calls account_poll(): a connect that failed or
	 * an established connection that was reset. For logs and counters, never for health.
	 */
	void (*event)(void *arg, uint64_t slot, int kind, int error);
	void *arg;
};

enum { ACCOUNT_EVENT_CONNECT_FAILED = 1, ACCOUNT_EVENT_RESET = 2 };

/*
 * Loads and attaches the programs, or takes over what is pinned. Always succeeds but for memory
 * (NULL): without BPF the mode is ACCOUNT_USER and account_reason() says in one sentence why and
 * what to do about it; every other call is then a cheap no-op. A kernel before 5.12 gets the basic
 * programs: the mode is ACCOUNT_BPF and account_reason() says what is less. Main thread.
 */
struct account *account_open(const struct account_config *config);
/* Detaches nothing and unpins nothing: counting goes on for sockets that outlive the process. */
void account_close(struct account *a);
/*
 * At a clean end, when no thread tags any more: takes the programs off the cgroup, where they cost every
 * connection something, if no socket needs them; the maps stay pinned with their figures. Waits up to
 * half a second for sockets that are closing. Returns the number of sockets that are left, for which the
 * programs stay; -EOPNOTSUPP with the basic programs, which cannot tell. Before account_close().
 */
int account_detach(struct account *a);

/*
 * Once a second: notices that the process was moved to another cgroup, and attaches there. Connections to
 * targets that began in between are not counted, and shown as untagged. Logs, and account_reason() says
 * so from then on. Main thread.
 */
void account_check(struct account *a);

enum account_mode account_mode(const struct account *a);
/* "bpf" or "user", as the edge says it everywhere. */
const char *account_mode_text(const struct account *a);
const char *account_reason(const struct account *a); /* "" with all of ACCOUNT_BPF */
/* Whether the kernel retries lost SYNs to targets quickly (TIMEOUT_INIT); decides hedging's default. */
bool account_fast_syn(const struct account *a);

/*
 * The slot (key in the pinned map) of a target: the pinned one where all of @key and the scope are
 * equal and nobody in this process holds it, else a new record. Returns 0 and *slot > 0; or a
 * negative errno (-ENOSPC: the map is full) with *slot = 0, which counts nothing. Main thread.
 */
int account_slot_get(struct account *a, const struct account_key *key, uint64_t *slot);
/*
 * Gives the slot of a target that its rule no longer has back, when no thread will tag with it any
 * more. A later account_refresh() adds its figures to those of the rule's other former targets, once
 * no socket carries the slot (with the basic programs, which cannot see that: after an hour without
 * a connection or a byte); asked for again before that, it is the same record with its counters.
 * Main thread.
 */
void account_slot_put(struct account *a, uint64_t slot);
/*
 * The same for all slots of a rule that is gone, of which nothing is kept: the records are deleted.
 * Main thread.
 */
void account_slots_drop(struct account *a, uint64_t rule_id);
/*
 * Every rule there is has asked for its slots. Pinned records that nobody claimed are former targets
 * of these rules, or belong to rules that are gone and go when no socket carries them. Without this
 * call all of them stay until the map is full. Main thread.
 */
void account_slots_settled(struct account *a);

/*
 * Tags a socket. Return 0 or -errno; a failure means that this socket's bytes are not counted, for
 * want of a record (@slot 0: -ENOENT) or of memory; the edge counts and shows that. At most one system
 * call; any thread.
 *  - a listener, before listen(): what it accepts inherits the tag. It needs one of the two slots;
 *  - an upstream socket, before connect();
 *  - an accepted socket, once, when its target is known and before it is read from or written to.
 *    @inherited: its listener's @expected_slot, or ACCOUNT_SLOT_UNTAGGED. A socket whose target has no
 *    record loses its tag, so that no other target gets its bytes.
 */
int account_tag_listener(struct account *a, int fd, uint64_t rule_id, uint64_t unassigned_slot,
			 uint64_t expected_slot);
int account_tag_upstream(struct account *a, int fd, uint64_t rule_id, uint64_t slot);
int account_tag_client(struct account *a, int fd, uint64_t rule_id, uint64_t slot,
		       uint64_t inherited);
/* The same for a socket on which a balancer's header of that length comes before the client's bytes. */
int account_tag_behind(struct account *a, int fd, uint64_t rule_id, uint64_t slot,
		       uint64_t inherited, unsigned header);

/*
 * connect(2) of an upstream socket, tagged by @tag or, once the programs know the thread, without
 * a system call for that. Returns 0 or -errno of connect(); *counted says whether the socket's bytes
 * will be (it stays as it is when no SYN could be sent). @worker, from 0, is the calling thread's
 * number: always the same one, and no other thread's.
 */
int account_connect(struct account *a, unsigned worker, int fd, const struct sockaddr *sa,
		    socklen_t len, const struct account_tag *tag, bool *counted);

/*
 * Makes the records exact for connections that are open now; with the basic programs there is nothing
 * to run, and open connections stay as of their last round-trip sample. Single-flight, 4 a second and after a
 * pause two at once: a call that finds a refresh which began after @not_before_ns (clock_mono_ns)
 * returns at once. Sleeps up to 250 ms otherwise; main thread or a helper thread, never a worker.
 * 0 or -errno.
 */
int account_refresh(struct account *a, uint64_t not_before_ns);
/* @before is called in the thread that refreshes, first. Before the first refresh; main thread. */
void account_before_refresh(struct account *a, void (*before)(void *arg), void *arg);
/* The map of records, for programs that add to them; below 0 in user mode. */
int account_targets_fd(const struct account *a);
/* Reads one record; -ENOENT for a slot that is not there. Main thread. */
int account_read(struct account *a, uint64_t slot, struct account_record *out);
/*
 * Sets the bytes of a record that no socket carries: those of a UDP target, which the kernel does not
 * count. Nothing happens in user mode. Main thread.
 */
void account_store_written(struct account *a, uint64_t slot, uint64_t bytes_in, uint64_t bytes_out);
/*
 * What a rule got by targets that it no longer has and whose slots nobody holds: a sum that outlives
 * their records and the process, and does not go down. Averages and the last error are 0, all of it in
 * user mode. Main thread.
 */
void account_read_removed(struct account *a, uint64_t rule_id, struct account_record *out);

/*
 * A number, not 0, for the records' lifetime: the same one again means that no record was reset in
 * between. Reused pins keep it over a restart; in user mode every call gives a new one, so ask once.
 */
uint64_t account_epoch(const struct account *a);

/* fd to wait on for kernel events (-1 in user mode), and what to call when it is readable. */
int account_event_fd(const struct account *a);
void account_poll(struct account *a);

#endif
