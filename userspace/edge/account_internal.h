/* SPDX-License-Identifier: MIT */
/* What the files of the accounting module share; nobody else includes it. */
#ifndef PORTUNUS_EDGE_ACCOUNT_INTERNAL_H
#define PORTUNUS_EDGE_ACCOUNT_INTERNAL_H

#include <pthread.h>
#include <stddef.h>

#include "bpf/account.h"
#include "edge/account.h"

#define ACCOUNT_PATH_MAX 512

struct account_bpf;
struct account_basic_bpf;
struct bpf_link;
struct bpf_map;
struct bpf_program;
struct ring_buffer;

/* Where opening failed: with the errno, what account_explain() makes a sentence of. */
enum account_stage {
	ACCOUNT_STAGE_ASKED,	/* the operator wants user-space counts */
	ACCOUNT_STAGE_INSTANCE, /* a name that cannot be a directory's */
	ACCOUNT_STAGE_BPFFS,
	ACCOUNT_STAGE_CGROUP,
	ACCOUNT_STAGE_PINS,
	ACCOUNT_STAGE_LAYOUT,
	ACCOUNT_STAGE_LOAD,
	ACCOUNT_STAGE_ATTACH,
	ACCOUNT_STAGE_BASIC, /* not failed: it counts, with the basic programs */
};

struct account_failure {
	enum account_stage stage;
	int error;	       /* positive errno; 0: not an errno */
	const char *path;      /* what it happened to */
	const char *instance;  /* "" for the default one */
	uint64_t capabilities; /* effective ones, bit n = capability n */
	bool has_btf;
};

/* Writes the sentence for people; returns @buf. Pure. */
char *account_explain(const struct account_failure *f, char *buf, size_t size);

/* The record of one target before anything was counted: only the identifying members are set. */
void account_identity(struct account_target *t, const char *scope, const struct account_key *key);
bool account_identity_equal(const struct account_target *a, const struct account_target *b);
uint64_t account_identity_hash(const struct account_target *t);
/* Of a rule, whatever its port: what all its records have in common. */
uint64_t account_rule_hash(const char *scope, uint64_t rule_id);

enum slot_state {
	SLOT_EMPTY,
	SLOT_FOUND,   /* pinned by an earlier process, not asked for yet */
	SLOT_HELD,    /* somebody in this process counts with it */
	SLOT_RETIRED, /* given back; joins the removed ones when no socket carries it any more */
	SLOT_DROPPED, /* its rule is gone; is deleted when no socket carries it any more */
	SLOT_REMOVED, /* the sum of a rule's former targets; no socket ever carries it */
};

/* One record of the pinned map, as user space knows it. */
struct slot {
	uint64_t number;
	uint64_t rule;
	uint64_t hash;	/* of the identity */
	uint32_t next;	/* in its bucket; index + 1, 0 ends */
	uint8_t state;	/* enum slot_state */
	uint8_t quiet;	/* passes in a row that saw no socket of it */
	uint64_t bytes; /* moved, as the last pass saw it; without iterators only */
};

/* All of them, found by rule. Guarded by account.lock. */
struct slot_table {
	struct slot *slots;
	uint32_t *buckets; /* index + 1 into slots */
	uint32_t n, size, n_buckets, free;
	uint32_t leaving; /* retired and dropped ones: the collector has something to do */
};

int slot_table_add(struct slot_table *s, const struct slot *slot);
/* The next entry of this rule after @after (NULL: the first), or NULL. */
struct slot *slot_table_find(const struct slot_table *s, uint64_t rule, const struct slot *after);
void slot_table_set(struct slot_table *s, struct slot *e, enum slot_state state);
void slot_table_remove(struct slot_table *s, struct slot *e);
void slot_table_free(struct slot_table *s);

/* The kernel programs as they were loaded; of the two builds one is there. */
struct account_programs {
	struct account_bpf *full;
	struct account_basic_bpf *basic;
	struct bpf_map *sockets, *targets, *meta, *hints, *events;
	struct bpf_program *account;
	struct bpf_program *refresh, *tagged, *connections; /* NULL in the basic build */
};

struct account {
	enum account_mode mode;
	bool fast_syn;
	bool only_basic; /* the full build is not even tried */
	bool old_pins;	 /* links or versions of an earlier process are still there */
	char reason[384];
	char instance[40];
	char bpffs[ACCOUNT_PATH_MAX];
	char dir[ACCOUNT_PATH_MAX]; /* of the pins */
	char scope[ACCOUNT_SCOPE_LEN];
	uint64_t opened_ns;
	void (*event)(void *arg, uint64_t slot, int kind, int error);
	void *arg;

	struct account_programs programs;
	struct bpf_link *refresh, *tagged; /* NULL with the basic build */
	struct ring_buffer *events;
	struct account_hint *hints; /* mapped; NULL where the kernel lacks what they need */
	int sockets_fd, targets_fd, meta_fd, link_fd;

	pthread_mutex_t lock; /* all below */
	pthread_cond_t refreshed;
	bool refreshing;
	uint64_t refresh_due_ns; /* when the next may begin; refresh_done_ns: the last that ended */
	uint64_t refresh_done_ns;
	int refresh_error;
	uint64_t collected_ns;
	uint64_t next_slot;
	struct slot_table slots;
};

/*
 * Without iterators nobody can ask which sockets there are. That long after its process the kernel
 * has given up every socket of it, but one whose peer goes on reading, which is seen by its bytes:
 * retransmissions and window probes end after tcp_orphan_retries, at most 120 s apart.
 */
#define ACCOUNT_LINGER_NS (3600 * NS_PER_SEC)

/* account_pins.c */
int account_pin_dir(char *buf, size_t size, const char *bpffs, int version, const char *instance);
bool account_is_bpffs(const char *path);
/* The edge's own cgroup v2 directory. 0 or -errno (-ENOENT: there is no cgroup v2). */
int account_cgroup_dir(char *buf, size_t size);
/* Puts the program on the cgroup, or into the link that is there. Returns the link's fd or -errno. */
int account_attach_cgroup(struct account *a, int prog_fd, int cgroup_fd);
/* Removes one version's pins, and the parent directory if it was the last. */
void account_remove_pins(const char *bpffs, const char *dir);
bool account_has_old_pins(const struct account *a);
/*
 * Removes what earlier processes left, as far as no socket is theirs: other versions' pins, and,
 * when @links_idle, the links that were set aside.
 */
void account_drop_old_pins(struct account *a, bool links_idle);

/* account_load.c: from nothing to a loaded, pinned, attached set, or an explained failure. */
int account_load(struct account *a, struct account_failure *f);
void account_unload(struct account *a);
/* The iterator over tagged sockets; not with the basic build. */
int account_tagged_prog_fd(const struct account *a);

/* account_slots.c */
int account_slots_init(struct account *a);
/* One pass of the collector: takes away records that no socket needs. Under the lock. */
void account_collect(struct account *a);
/* Deletes a record that no socket carries; where the kernel refuses, the collector tries again. */
bool account_slot_delete(struct account *a, struct slot *e);

/* account_removed.c; all under the lock */
/*
 * Takes a record that no socket carries out of the map, or makes it its rule's "(removed)" one. Either
 * way the rule's figures stay the same. Returns whether there is one record less.
 */
bool account_remove(struct account *a, struct slot *e);
/* Tells the later from the earlier of two "(removed)" records, which a crash can leave. */
void account_removed_init(struct account *a);
void account_target_add(struct account_target *sum, const struct account_target *t);
bool account_target_includes(const struct account_target *t, const struct account_target *other);

/* account_read.c */
void account_record_of(const struct account_target *t, struct account_record *out);
/* Reads an iterator to its end; *out, if @out is not NULL, gets what it printed (caller frees). */
int account_iterate(struct bpf_link *link, void **out, size_t *len);

#endif
