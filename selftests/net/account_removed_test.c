// SPDX-License-Identifier: MIT
/*
 * Accounting tests of what stays of a rule's former targets: over restarts, and over a crash at each
 * step of it. test_account_kernel is the list of them.
 */
#include "account_rig.h"

#include <sys/syscall.h>
#include <sys/wait.h>

enum { TARGETS = 3, FIRST = 1000, SUM = 1230 }; /* bytes: 1000, 200 and 30 */
static const uint64_t share[TARGETS] = {1000, 200, 30};

/* The module's writes to the map, so that one of them can be where the process dies. */
static struct {
	int until; /* writes that still succeed; below 0: all */
} crash = {-1};

static int write_map(enum bpf_cmd cmd, int fd, const void *key, const void *value, uint64_t flags)
{
	union bpf_attr attr;

	if (crash.until >= 0 && !crash.until--)
		raise(SIGKILL);
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)fd;
	attr.key = (uintptr_t)key;
	attr.value = (uintptr_t)value;
	attr.flags = flags;
	return (int)syscall(__NR_bpf, cmd, &attr, sizeof(attr));
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	return write_map(BPF_MAP_UPDATE_ELEM, fd, key, value, flags);
}

int bpf_map_delete_elem(int fd, const void *key)
{
	return write_map(BPF_MAP_DELETE_ELEM, fd, key, NULL, 0);
}

static struct account_key key_of(int target)
{
	static const char *const hosts[TARGETS] = {"a.example", "b.example", "c.example"};

	return (struct account_key){.rule_id = RULE,
				    .listen_port = 4200,
				    .port = 80,
				    .host = hosts[target]};
}

/* Moves bytes over a connection to the target of this slot; *ours stays open if it is asked for. */
static int carry(struct rig *rig, uint64_t slot, uint64_t bytes, int *ours, int *peers)
{
	uint64_t own = rig->slot;
	int o, p;

	rig->slot = slot;
	CHECK(!rig_pair(rig, true, &o, &p) && !move(o, p, bytes), "pair");
	rig->slot = own;
	if (ours) {
		*ours = o;
		*peers = p;
		return 0;
	}
	close(o);
	close(p);
	return 0;
}

/* Three targets of one rule that have got their share each. */
static int serve(struct rig *rig, uint64_t slot[TARGETS])
{
	for (int i = 0; i < TARGETS; i++) {
		struct account_key key = key_of(i);

		CHECK(!account_slot_get(rig->a, &key, &slot[i]), "slot");
		CHECK(!carry(rig, slot[i], share[i], NULL, NULL), "carry");
	}
	return 0;
}

static struct account_record removed(struct rig *rig)
{
	struct account_record r;

	account_refresh(rig->a, clock_mono_ns());
	account_read_removed(rig->a, RULE, &r);
	return r;
}

/* Twice, with the pause that the collector makes, it looks at all sockets. */
static void collect(struct rig *rig)
{
	account_refresh(rig->a, clock_mono_ns());
	for (int i = 0; i < 2; i++) {
		usleep(1050000);
		account_refresh(rig->a, clock_mono_ns());
	}
}

/* "(removed)" records in the pinned map, of one rule or, with 0, of all; *last is the last of them. */
static int sums(struct rig *rig, uint64_t rule_id, uint64_t *slot, struct account_target *last)
{
	int fd = pin_fd(rig, "targets"), n = 0;
	struct account_target t;
	uint64_t key = 0;

	while (!bpf_map_get_next_key(fd, key ? &key : NULL, &key)) {
		if (bpf_map_lookup_elem(fd, &key, &t) || strcmp(t.name, "(removed)") ||
		    (rule_id && t.rule_id != rule_id))
			continue;
		n++;
		*slot = key;
		*last = t;
	}
	close(fd);
	return n;
}

static int case_sum(struct rig *rig, const char *const *args)
{
	struct account_key key = key_of(0), other = key;
	uint64_t slot[TARGETS], again, number;
	struct account_target t;
	struct account_record r;

	CHECK(!serve(rig, slot), "serve");
	other.rule_id = RULE + 1;
	CHECK(!account_slot_get(rig->a, &other, &again) && !carry(rig, again, 5, NULL, NULL),
	      "another rule");
	CHECK(removed(rig).bytes_in == 0, "nothing is removed");
	account_slot_put(rig->a, slot[0]);
	account_slot_put(rig->a, again);
	CHECK(removed(rig).bytes_in == FIRST, "%" PRIu64, removed(rig).bytes_in);

	/* The first one becomes the sum itself. */
	collect(rig);
	CHECK(sums(rig, RULE, &number, &t) == 1 && number == slot[0], "%" PRIu64, number);
	CHECK(t.bytes_in == FIRST && t.index == ACCOUNT_INDEX_REMOVED && t.listen_port == 4200 &&
		      !t.port && !t.srtt_us && !t.connect_us,
	      "index %u", t.index);
	CHECK(removed(rig).bytes_in == FIRST, "%" PRIu64, removed(rig).bytes_in);
	CHECK(sums(rig, RULE + 1, &number, &t) == 1 && t.bytes_in == 5, "another rule's");

	account_slot_put(rig->a, slot[1]);
	account_slot_put(rig->a, slot[2]);
	CHECK(removed(rig).bytes_in == SUM, "%" PRIu64, removed(rig).bytes_in);
	collect(rig);
	CHECK(sums(rig, RULE, &number, &t) == 1 && t.bytes_in == SUM && t.ok == 3, "%" PRIu64,
	      (uint64_t)t.bytes_in);
	r = removed(rig);
	CHECK(r.bytes_in == SUM && r.ok == 3 && r.attempted == 3 && !r.active, "%" PRIu64,
	      r.bytes_in);

	/* Back after that: it begins at zero, and over a restart it keeps its own record. */
	CHECK(!account_slot_get(rig->a, &key, &again) && again > slot[2], "%" PRIu64, again);
	CHECK(rig_read(rig, again).bytes_in == 0 && !carry(rig, again, 7, NULL, NULL), "zero");
	CHECK(removed(rig).bytes_in == SUM, "%" PRIu64, removed(rig).bytes_in);
	CHECK(!rig_reopen(rig), "open");
	CHECK(!account_slot_get(rig->a, &key, &slot[0]) && slot[0] == again, "%" PRIu64, slot[0]);
	account_slots_settled(rig->a);
	collect(rig);
	CHECK(rig_read(rig, again).bytes_in == 7 && removed(rig).bytes_in == SUM, "%" PRIu64,
	      removed(rig).bytes_in);
	CHECK(sums(rig, 0, &number, &t) == 1, "the other rule is gone, its sum is not");
	return 0;
}

/* Removed before, during and with the restart; with a socket open, and on another port of the rule. */
static int case_restart(struct rig *rig, const char *const *args)
{
	struct account_key key = key_of(0);
	uint64_t slot[TARGETS], moved, number;
	struct account_target t;
	int ours, peers;

	CHECK(!serve(rig, slot), "serve");
	key.listen_port++;
	CHECK(!account_slot_get(rig->a, &key, &moved), "slot");
	CHECK(!carry(rig, moved, 4000, &ours, &peers), "carry");
	account_slot_put(rig->a, slot[0]);
	account_slot_put(rig->a, moved);
	CHECK(removed(rig).bytes_in == FIRST + 4000, "%" PRIu64, removed(rig).bytes_in);
	account_close(rig->a);
	CHECK(!move(ours, peers, 50000), "move");
	CHECK(!rig_open(rig), "open");
	CHECK(removed(rig).bytes_in == SUM + 54000, "%" PRIu64, removed(rig).bytes_in);
	account_slots_settled(rig->a);
	CHECK(removed(rig).bytes_in == SUM + 54000, "%" PRIu64, removed(rig).bytes_in);
	collect(rig);
	CHECK(sums(rig, RULE, &number, &t) == 1 && t.bytes_in == SUM, "%" PRIu64,
	      (uint64_t)t.bytes_in);
	CHECK(rig_read(rig, moved).active == 1, "gone under a socket");
	CHECK(!move(ours, peers, 600000), "move");
	CHECK(removed(rig).bytes_in == SUM + 654000, "%" PRIu64, removed(rig).bytes_in);
	close(ours);
	close(peers);
	collect(rig);
	CHECK(sums(rig, RULE, &number, &t) == 1 && t.bytes_in == SUM + 654000 && number == moved,
	      "%" PRIu64, (uint64_t)t.bytes_in);
	CHECK(!rig_reopen(rig) && removed(rig).bytes_in == SUM + 654000, "%" PRIu64,
	      removed(rig).bytes_in);
	return 0;
}

/* A process that serves the rule without these targets, and dies at its write number @at, from 0. */
static int die_at(struct rig *rig, int at)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0, "fork");
	if (!pid) {
		if (rig_open(rig))
			_exit(1);
		account_slots_settled(rig->a);
		crash.until = at;
		collect(rig);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status) || !WEXITSTATUS(status), "the other process failed");
	return WIFSIGNALED(status);
}

static int case_crash(struct rig *rig, const char *const *args)
{
	uint64_t slot[TARGETS], number;
	struct account_target t;
	int died = 1, at = 0;

	for (; died; at++) {
		CHECK(!serve(rig, slot), "serve");
		account_close(rig->a);
		died = die_at(rig, at);
		CHECK(died >= 0 && !rig_open(rig), "open");
		CHECK(removed(rig).bytes_in == SUM && removed(rig).ok == 3,
		      "%" PRIu64 " after write %d", removed(rig).bytes_in, at);
		CHECK(sums(rig, RULE, &number, &t) <= 1, "two sums after write %d", at);
		account_slots_settled(rig->a);
		collect(rig);
		CHECK(removed(rig).bytes_in == SUM, "%" PRIu64 " after write %d and more",
		      removed(rig).bytes_in, at);
		CHECK(sums(rig, RULE, &number, &t) == 1 && t.bytes_in == SUM, "after write %d", at);
		account_close(rig->a);
		account_unpin(rig->bpffs, rig->instance, NULL, 0);
		CHECK(!rig_open(rig), "open");
	}
	/* The sum was rewritten three times, and what it replaced was deleted twice. */
	CHECK(at == 6, "%d writes", at - 1);
	return 0;
}

/* The earlier of two sums is recognised, whichever of them has the higher number. */
static int case_twins(struct rig *rig, const char *const *args)
{
	for (int first = 0; first < 2; first++) {
		struct account_target before, t;
		uint64_t slot[TARGETS], number, former;
		int fd;

		CHECK(!serve(rig, slot), "serve");
		account_slot_put(rig->a, slot[first]);
		collect(rig);
		CHECK(sums(rig, RULE, &former, &before) == 1, "sum");
		account_slot_put(rig->a, slot[!first]);
		collect(rig);
		CHECK(sums(rig, RULE, &number, &t) == 1 && t.bytes_in == 1200, "sum");
		account_close(rig->a);
		fd = pin_fd(rig, "targets");
		CHECK(!bpf_map_update_elem(fd, &former, &before, BPF_NOEXIST), "twin");
		close(fd);
		CHECK(sums(rig, RULE, &number, &t) == 2, "twins");
		CHECK(!rig_open(rig), "open");
		CHECK(removed(rig).bytes_in == SUM, "%" PRIu64, removed(rig).bytes_in);
		CHECK(sums(rig, RULE, &number, &t) == 1 && t.bytes_in == 1200, "%" PRIu64,
		      (uint64_t)t.bytes_in);
		account_close(rig->a);
		account_unpin(rig->bpffs, rig->instance, NULL, 0);
		CHECK(!rig_open(rig), "open");
	}
	return 0;
}

/* Of a rule that goes nothing stays, but for what is asked for again before its records went. */
static int case_rule_gone(struct rig *rig, const char *const *args)
{
	struct account_key key = key_of(1);
	uint64_t slot[TARGETS], again, number;
	struct account_target t;
	struct account_record r;

	CHECK(!serve(rig, slot), "serve");
	account_slot_put(rig->a, slot[0]);
	collect(rig);
	CHECK(sums(rig, RULE, &number, &t) == 1, "sum");
	account_slot_put(rig->a, slot[2]);
	account_slots_drop(rig->a, RULE);
	CHECK(sums(rig, RULE, &number, &t) == 0 && removed(rig).bytes_in == 0, "%" PRIu64,
	      removed(rig).bytes_in);
	CHECK(!account_slot_get(rig->a, &key, &again) && again == slot[1], "%" PRIu64, again);
	CHECK(removed(rig).bytes_in == 0 && rig_read(rig, again).bytes_in == 200, "taken back");
	collect(rig);
	CHECK(account_read(rig->a, slot[2], &r) == -ENOENT, "not deleted");
	CHECK(account_read(rig->a, rig->slot, &r) == -ENOENT, "not deleted");
	CHECK(rig_read(rig, again).bytes_in == 200 && removed(rig).bytes_in == 0, "%" PRIu64,
	      removed(rig).bytes_in);

	/* Gone while no process ran. */
	account_slot_put(rig->a, again);
	collect(rig);
	CHECK(sums(rig, RULE, &number, &t) == 1 && t.bytes_in == 200, "sum");
	account_close(rig->a);
	rig->a = account_open(&(struct account_config){.instance = rig->instance,
						       .bpffs = rig->bpffs,
						       .scope = rig->scope});
	CHECK(rig->a && removed(rig).bytes_in == 200, "%" PRIu64, removed(rig).bytes_in);
	account_slots_settled(rig->a);
	CHECK(removed(rig).bytes_in == 0, "%" PRIu64, removed(rig).bytes_in);
	collect(rig);
	CHECK(sums(rig, 0, &number, &t) == 0, "left");
	return 0;
}

static const struct rig_case cases[] = {
	{"sum", case_sum, .full = true},
	{"restart", case_restart, .full = true},
	{"crash", case_crash, .full = true},
	{"twins", case_twins, .full = true},
	{"rule-gone", case_rule_gone, .full = true},
};

int main(int argc, char **argv)
{
	return rig_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
