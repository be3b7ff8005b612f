// SPDX-License-Identifier: MIT
/*
 * Accounting tests that concern the life of the module: restarts, pins, fallbacks, sockets that
 * outlive a process. test_account_kernel is the list of them.
 */
#include "account_rig.h"
#include "edge/account/state.h"

#include <sys/stat.h>
#include <sys/wait.h>

static const char *value_of(const char *const *args, const char *name)
{
	size_t n = strlen(name);

	for (; *args; args++)
		if (!strncmp(*args, name, n) && (*args)[n] == '=')
			return *args + n + 1;
	return NULL;
}

static uint32_t link_id(const struct rig *rig, const char *name)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);
	int fd = pin_fd(rig, name);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return 0;
	close(fd);
	return info.id;
}

static int case_restart(struct rig *rig, const char *const *args)
{
	uint64_t slot, before = rig->slot, none = rig->none;
	struct account_key key = {.rule_id = RULE,
				  .listen_port = 4200,
				  .port = 4201,
				  .host = rig->host};
	uint32_t id = link_id(rig, "link");
	struct account_record r;
	int ours, peers;

	CHECK(!rig_pair(rig, true, &ours, &peers), "pair");
	CHECK(!move(ours, peers, 100000), "move");
	account_close(rig->a);
	CHECK(!move(ours, peers, 23456), "move");
	CHECK(!rig_open(rig), "open");
	CHECK(rig->slot == before && rig->none == none, "%" PRIu64, rig->slot);
	CHECK(id && link_id(rig, "link") == id && !pin_exists(rig, "link-old-1"), "link");
	r = rig_refreshed(rig, rig->slot);
	CHECK(r.bytes_in == 123456 || (rig->basic && r.bytes_in < 123456), "%" PRIu64, r.bytes_in);
	CHECK(r.active == 1 && r.ok == 1, "%" PRIu64 " %" PRIu64, r.active, r.ok);
	CHECK(!move(ours, peers, 1000), "move");
	close(ours);
	close(peers);
	r = rig_quiet(rig, 124456, 0);
	CHECK(r.bytes_in == 124456 && r.active == 0, "%" PRIu64, r.bytes_in);

	/* Held, or another in any member: not the same record. */
	CHECK(!account_slot_get(rig->a, &key, &slot) && slot != before, "held");
	for (int i = 0; i < 4; i++) {
		struct account_key k = key;

		account_close(rig->a);
		k.rule_id += i == 0;
		k.listen_port = (uint16_t)(k.listen_port + (i == 1));
		k.port = (uint16_t)(k.port + (i == 2));
		k.host = i == 3 ? "localhost" : k.host;
		CHECK(!rig_open(rig) && rig->slot == before, "open");
		CHECK(!account_slot_get(rig->a, &k, &slot) && slot > before + 1, "%d", i);
	}
	account_close(rig->a);
	rig->scope = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/edge-01";
	CHECK(!rig_open(rig) && rig->slot > slot, "another scope took the record");
	return 0;
}

/* An hour later; the collector is due. */
static void hour_later(struct rig *rig)
{
	rig->a->collector.opened_ns -= ACCOUNT_LINGER_NS;
	rig->a->collector.collected_ns -= ACCOUNT_LINGER_NS;
}

/* From the full programs to the basic ones and back, over one connection and with one set of pins. */
static int case_rebuild(struct rig *rig, const char *const *args)
{
	uint64_t slot = rig->slot, epoch = account_epoch(rig->a);
	uint32_t id = link_id(rig, "link");
	struct account_record r;
	int ours, peers;

	CHECK(!rig_pair(rig, true, &ours, &peers) && !move(ours, peers, 100000), "pair");
	CHECK(pin_exists(rig, "connections") && !*account_reason(rig->a), "%s",
	      account_reason(rig->a));
	account_close(rig->a);

	rig->basic = true;
	CHECK(!rig_open(rig), "open");
	CHECK(rig->slot == slot && account_epoch(rig->a) == epoch, "%" PRIu64, rig->slot);
	CHECK(id && link_id(rig, "link") == id, "link");
	CHECK(!pin_exists(rig, "connections"), "the table of the full programs is left");
	CHECK(!move(ours, peers, 20000) && !move(peers, ours, 700), "move");
	r = rig_refreshed(rig, rig->slot);
	CHECK(r.bytes_in > 100000 && r.bytes_in <= 120000 && r.ok == 1 && r.active == 1, "%" PRIu64,
	      r.bytes_in);
	account_close(rig->a);
	CHECK(!move(ours, peers, 3000), "move");

	rig->basic = false;
	CHECK(!rig_open(rig), "open");
	CHECK(rig->slot == slot && account_epoch(rig->a) == epoch, "%" PRIu64, rig->slot);
	CHECK(link_id(rig, "link") == id && pin_exists(rig, "connections"), "pins");
	r = rig_refreshed(rig, rig->slot);
	CHECK(r.bytes_in == 123000 && r.received_out == 700, "%" PRIu64 " %" PRIu64, r.bytes_in,
	      r.received_out);
	account_close(rig->a);

	rig->basic = true;
	CHECK(!rig_open(rig) && !move(ours, peers, 456), "open");
	close(ours);
	close(peers);
	r = rig_quiet(rig, 123456, 0);
	CHECK(r.bytes_in == 123456 && r.received_out == 700 && !r.active, "%" PRIu64, r.bytes_in);
	CHECK(r.ok == 1 && r.attempted == 1, "%" PRIu64, r.ok);
	return 0;
}

/* That many passes of the collector, as if each were due. */
static void pass(struct rig *rig, int n)
{
	while (n--) {
		rig->a->collector.collected_ns -= ACCOUNT_LINGER_NS;
		account_refresh(rig->a, clock_mono_ns());
	}
}

/* Whether a record is what remains of a rule's former targets. */
static bool is_removed(const struct rig *rig, uint64_t slot)
{
	struct account_target t = {0};

	return !bpf_map_lookup_elem(rig->a->table.targets_fd, &slot, &t) &&
	       t.index == ACCOUNT_INDEX_REMOVED;
}

/* The basic programs: a record goes after an hour's passes without a connection or a byte. */
static int case_linger(struct rig *rig, const char *const *args)
{
	enum { HOUR = 61 };
	struct account_key key = {.rule_id = RULE, .listen_port = 4200, .port = 4201};
	uint64_t up = rig->slot, slot;
	struct account_record r;
	int ours, peers, client, remote;

	CHECK(rig->basic, "needs the basic programs");
	key.host = rig->host;
	CHECK(!rig_pair(rig, true, &ours, &peers) && !move(ours, peers, 100), "pair");
	CHECK(!rig_pair(rig, false, &client, &remote), "pair");
	account_slot_put(rig->a, up);
	pass(rig, 3 * HOUR);
	CHECK(!account_read(rig->a, up, &r) && r.active == 1 && !is_removed(rig, up),
	      "gone under a connection");
	close(ours);
	close(peers);
	rig_quiet(rig, 100, 0);
	/* The client's side goes on; that is seen by what it delivers. */
	for (int i = 0; i < 4; i++) {
		pass(rig, HOUR - 1);
		CHECK(!move(client, remote, 10), "move");
	}
	CHECK(!account_read(rig->a, up, &r) && r.bytes_out == 40 && !is_removed(rig, up),
	      "gone under a client");
	CHECK(!account_slot_get(rig->a, &key, &slot) && slot == up, "%" PRIu64, slot);
	pass(rig, 3 * HOUR);
	CHECK(!is_removed(rig, up), "gone while it is held");
	account_slot_put(rig->a, up);
	close(client);
	close(remote);
	rig_quiet(rig, 100, 40);
	pass(rig, HOUR - 1);
	CHECK(!is_removed(rig, up), "gone before its time");
	pass(rig, 2);
	CHECK(is_removed(rig, up), "not gone");
	account_read_removed(rig->a, RULE, &r);
	CHECK(r.bytes_in == 100 && r.bytes_out == 40 && r.ok == 1, "%" PRIu64 " %" PRIu64,
	      r.bytes_in, r.bytes_out);
	/* A pass a minute, not one for each refresh. */
	CHECK(!account_slot_get(rig->a, &key, &slot) && slot > up, "%" PRIu64, slot);
	account_slot_put(rig->a, slot);
	pass(rig, 1);
	for (int i = 0; i < 3 * HOUR; i++)
		account_refresh(rig->a, clock_mono_ns());
	CHECK(!is_removed(rig, slot), "passes without a pause");
	/* A rule that is gone: deleted. */
	account_slots_drop(rig->a, RULE);
	pass(rig, HOUR + 1);
	CHECK(account_read(rig->a, slot, &r) == -ENOENT, "not deleted");
	return 0;
}

/* The basic programs and a full map: what nobody can tell to be unused makes no room. */
static int case_crowd(struct rig *rig, const char *const *args)
{
	struct account_key key = {.rule_id = 1, .port = 81, .host = "full.example"};
	uint64_t first = rig->slot, slot;
	int rc;

	while (!(rc = account_slot_get(rig->a, &key, &slot)))
		key.rule_id++;
	CHECK(rc == -ENOSPC && slot == 0, "%d", rc);
	account_close(rig->a);
	CHECK(!rig_open(rig) && rig->slot == first, "open");
	key.port++;
	CHECK(account_slot_get(rig->a, &key, &slot) == -ENOSPC, "room was made");
	key.port--;
	key.rule_id = 1;
	CHECK(!account_slot_get(rig->a, &key, &slot) && slot, "a record went");
	return 0;
}

/* The process goes on in another cgroup: sockets of the first one are still counted. */
static int case_cgroup(struct rig *rig, const char *const *args)
{
	const char *procs = value_of(args, "procs");
	char old[32];
	struct account_record r;
	int ours, peers, fd;

	CHECK(procs, "needs procs=");
	snprintf(old, sizeof(old), "link-old-%u", link_id(rig, "link"));
	CHECK(!rig_pair(rig, true, &ours, &peers), "pair");
	account_close(rig->a);
	fd = open(procs, O_WRONLY);
	CHECK(fd >= 0 && write(fd, "0", 1) == 1, "%s", procs);
	close(fd);
	CHECK(!rig_open(rig), "open");
	CHECK(pin_exists(rig, old) && pin_exists(rig, "link"), "%s", old);
	CHECK(!move(ours, peers, 50000), "move");
	r = rig_refreshed(rig, rig->slot);
	CHECK(r.bytes_in == 50000 || (rig->basic && r.bytes_in && r.bytes_in < 50000), "%" PRIu64,
	      r.bytes_in);
	usleep(1000000);
	rig_refreshed(rig, rig->slot);
	CHECK(pin_exists(rig, old), "gone while a socket needs it");
	close(ours);
	close(peers);
	r = rig_quiet(rig, 50000, 0);
	CHECK(r.bytes_in == 50000 && r.active == 0, "%" PRIu64, r.bytes_in);
	usleep(1000000);
	rig_refreshed(rig, rig->slot);
	if (rig->basic) {
		CHECK(pin_exists(rig, old), "gone before its time");
		hour_later(rig);
		rig_refreshed(rig, rig->slot);
	}
	CHECK(!pin_exists(rig, old), "left over");
	CHECK(!rig_pair(rig, true, &ours, &peers) && !move(ours, peers, 5), "pair");
	close(ours);
	r = rig_quiet(rig, 50005, 0);
	CHECK(r.bytes_in == 50005 && r.ok == 2, "the new link does not count");
	return 0;
}

static int move_to(const char *procs)
{
	int fd = open(procs, O_WRONLY), rc = fd >= 0 && write(fd, "0", 1) == 1;

	close(fd);
	return rc ? 0 : -1;
}

/* A connection of worker 0; *counted as the module says. */
static int connect_as_worker(struct rig *rig, int *ours, int *peers, bool *counted)
{
	int l = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_storage ss;
	socklen_t len;

	rig_address("127.0.0.1", (uint16_t)rig_listen(l, "127.0.0.1"), &ss, &len);
	*ours = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(!account_connect(rig->a, 0, *ours, (struct sockaddr *)&ss, len,
			       &(struct account_tag){.rule_id = RULE, .slot = rig->slot}, counted),
	      "connect");
	*peers = accept(l, NULL, NULL);
	close(l);
	return 0;
}

/* Moved while it runs, before and after the programs knew the thread: said to be uncounted until the
 * programs have followed, and counted from then on; and back again. */
static int case_moved(struct rig *rig, const char *const *args)
{
	const char *there = value_of(args, "procs"), *back = value_of(args, "back");
	struct account_record r;
	int ours, peers, l, c, s, port;
	bool counted = true;
	char buf[100] = "";
	char old[32];

	CHECK(there && back, "needs procs= and back=");
	snprintf(old, sizeof(old), "link-old-%u", link_id(rig, "link"));
	l = socket(AF_INET, SOCK_STREAM, 0);
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(!account_tag_listener(rig->a, l, RULE, rig->none, rig->slot), "tag");
	port = rig_listen(l, "127.0.0.1");
	CHECK(!move_to(there), "%s", there);
	CHECK(!connect_as_worker(rig, &ours, &peers, &counted) && !counted, "without a program");
	CHECK(!move(ours, peers, 100), "move");
	close(ours);
	close(peers);
	account_check(rig->a);
	CHECK(strstr(account_reason(rig->a), "moved to another cgroup"), "%s",
	      account_reason(rig->a));
	CHECK(pin_exists(rig, "link") && pin_exists(rig, old), "links");
	/* The first one introduces the thread. Back where the former link is, it counts at once. */
	for (int i = 0; i < 3; i++) {
		CHECK(!connect_as_worker(rig, &ours, &peers, &counted) && counted, "%d", i);
		CHECK(!move(ours, peers, 1000), "move");
		close(ours);
		close(peers);
		CHECK(i != 1 || !move_to(back), "%s", back);
	}
	account_check(rig->a);
	CHECK(!pin_exists(rig, old), "two links on one cgroup");
	/* What the listener of the first cgroup accepts. */
	CHECK(!rig_connect(c, "127.0.0.1", (uint16_t)port), "connect");
	s = accept(l, NULL, NULL);
	CHECK(read(s, buf, 0) == 0 && !move(s, c, 55), "move");
	close(s);
	close(c);
	r = rig_quiet(rig, 3000, 55);
	CHECK(r.bytes_in == 3000 && r.bytes_out == 55 && r.ok == 3, "%" PRIu64 " %" PRIu64,
	      r.bytes_in, r.bytes_out);
	close(l);
	return 0;
}

/* The program runs twice for every socket. */
static int case_double(struct rig *rig, const char *const *args)
{
	struct end ours = {.send = 5000000}, peers = {.send = 3000000};
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);
	struct account_record r;
	int link = pin_fd(rig, "link"), prog, cgroup, second;

	CHECK(!bpf_obj_get_info_by_fd(link, &info, &len), "link");
	prog = bpf_prog_get_fd_by_id(info.prog_id);
	cgroup = open(value_of(args, "cgroup"), O_RDONLY);
	second = bpf_link_create(prog, cgroup, BPF_CGROUP_SOCK_OPS, NULL);
	CHECK(second >= 0, "%s", strerror(errno));
	CHECK(!rig_pair(rig, true, &ours.fd, &peers.fd), "pair");
	ends_run(&ours, &peers);
	r = rig_quiet(rig, 5000000, 0);
	CHECK(r.bytes_in == 5000000 && r.received_out == 3000000, "%" PRIu64, r.bytes_in);
	CHECK(r.attempted == 1 && r.ok == 1 && r.active == 0, "%" PRIu64 " %" PRIu64, r.attempted,
	      r.active);
	CHECK(r.connect_hist[0] + r.connect_us_sum >= r.connect_us_max, "times");
	close(second);
	return 0;
}

/* Another program is attached to our cgroup alone: the fallback names the tool that shows it. */
static int case_exclusive(struct rig *rig, const char *const *args)
{
	struct account_config config = {.instance = "", .bpffs = rig->bpffs, .scope = ""};
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);
	char name[64], path[256];
	int link = pin_fd(rig, "link"), cgroup = open(value_of(args, "cgroup"), O_RDONLY), fd;

	CHECK(!bpf_obj_get_info_by_fd(link, &info, &len), "link");
	CHECK(!bpf_prog_attach(bpf_prog_get_fd_by_id(info.prog_id), cgroup, BPF_CGROUP_SOCK_OPS, 0),
	      "%s", strerror(errno));
	snprintf(path, sizeof(path), "%s/cgroup.procs", value_of(args, "cgroup"));
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0 && write(fd, "0", 1) == 1, "%s", path);
	close(fd);
	account_close(rig->a);
	snprintf(name, sizeof(name), "%s-x", rig->instance);
	config.instance = name;
	rig->a = account_open(&config);
	bpf_prog_detach(cgroup, BPF_CGROUP_SOCK_OPS);
	CHECK(account_mode(rig->a) == ACCOUNT_USER, "attached all the same");
	CHECK(strstr(account_reason(rig->a), "bpftool cgroup tree"), "%s", account_reason(rig->a));
	snprintf(path, sizeof(path), "%s/portunus/v%d-%s", rig->bpffs, ACCOUNT_ABI, name);
	CHECK(access(path, F_OK), "pins are left");
	return 0;
}

static int case_layout(struct rig *rig, const char *const *args)
{
	struct account_config config = {.instance = rig->instance,
					.bpffs = rig->bpffs,
					.scope = rig->scope};
	struct account_meta m = {.layout = ACCOUNT_LAYOUT ^ 1, .next_slot = 1};
	uint32_t zero = 0;
	char path[256];
	int fd = pin_fd(rig, "meta");

	CHECK(!bpf_map_update_elem(fd, &zero, &m, BPF_ANY), "meta");
	account_close(rig->a);
	rig->a = account_open(&config);
	CHECK(account_mode(rig->a) == ACCOUNT_USER, "another layout number was accepted");
	CHECK(strstr(account_reason(rig->a), "portunus-client unpin --instance"), "%s",
	      account_reason(rig->a));
	CHECK(pin_exists(rig, "targets") && pin_exists(rig, "link"), "pins were removed");
	account_close(rig->a);
	rig->a = NULL;
	CHECK(account_unpin(rig->bpffs, rig->instance, NULL, 0) == 5 - rig->basic, "unpin");

	snprintf(path, sizeof(path), "%s/portunus", rig->bpffs);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/portunus/v%d-%s", rig->bpffs, ACCOUNT_ABI, rig->instance);
	CHECK(!mkdir(path, 0755), "mkdir");
	snprintf(path, sizeof(path), "%s/portunus/v%d-%s/targets", rig->bpffs, ACCOUNT_ABI,
		 rig->instance);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "targets", 8, 64, 1024, NULL);
	CHECK(!bpf_obj_pin(fd, path), "pin");
	rig->a = account_open(&config);
	CHECK(account_mode(rig->a) == ACCOUNT_USER && strstr(account_reason(rig->a), "layout"),
	      "%s", account_reason(rig->a));
	account_close(rig->a);
	rig->a = NULL;
	CHECK(account_unpin(rig->bpffs, rig->instance, NULL, 0) == 1, "unpin");
	return rig_open(rig);
}

/* A socket tagged after its connect is never counted, and does no harm. */
static int case_late(struct rig *rig, const char *const *args)
{
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), s;
	struct account_record r;

	CHECK(!rig_connect(c, "127.0.0.1", (uint16_t)rig_listen(l, "127.0.0.1")), "connect");
	s = accept(l, NULL, NULL);
	CHECK(!account_tag_upstream(rig->a, c, RULE, rig->slot), "tag");
	CHECK(!account_tag_client(rig->a, s, RULE, rig->slot, 0), "tag");
	CHECK(!move(c, s, 1000) && !move(s, c, 1000), "move");
	r = rig_refreshed(rig, rig->slot);
	close(c);
	close(s);
	CHECK(!r.bytes_in && !r.bytes_out && !r.active, "%" PRIu64, r.bytes_in);
	r = rig_refreshed(rig, rig->slot);
	CHECK(!r.bytes_in && !r.bytes_out && !r.active && !r.ok, "%" PRIu64, r.bytes_in);
	return 0;
}

/* The process dies with data in its socket buffers: what the peer gets after that is counted. */
static int case_kill(struct rig *rig, const char *const *args)
{
	int l = socket(AF_INET, SOCK_STREAM, 0), port = rig_listen(l, "127.0.0.1");
	struct end peers = {0};
	struct account_record r;
	pid_t pid = fork();

	CHECK(pid >= 0, "fork");
	if (!pid) {
		static char buf[1 << 20];
		int c = socket(AF_INET, SOCK_STREAM, 0);

		account_tag_upstream(rig->a, c, RULE, rig->slot);
		rig_connect(c, "127.0.0.1", (uint16_t)port);
		while (send(c, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
	peers.fd = accept(l, NULL, NULL);
	r = rig_refreshed(rig, rig->slot);
	end_run(&peers);
	CHECK(peers.got > r.bytes_in, "nothing was unsent");
	r = rig_quiet(rig, peers.got, 0);
	CHECK(r.bytes_in == peers.got && r.active == 0, "%" PRIu64 " for %" PRIu64, r.bytes_in,
	      peers.got);
	return 0;
}

static int case_unpin(struct rig *rig, const char *const *args)
{
	int ours, peers;

	CHECK(!rig_pair(rig, true, &ours, &peers), "pair");
	CHECK(account_unpin(rig->bpffs, rig->instance, NULL, 0) == 5 - rig->basic, "pins");
	CHECK(!pin_exists(rig, "targets"), "left");
	CHECK(!move(ours, peers, 100), "move");
	CHECK(rig_refreshed(rig, rig->slot).bytes_in == 100, "counting ended with the pins");
	CHECK(account_unpin(rig->bpffs, rig->instance, NULL, 0) == 0, "twice");
	return 0;
}

/* Keeps a connection open over "hold" of another process: tells when, waits for its input's end. */
static int case_hold(struct rig *rig, const char *const *args)
{
	int ours, peers;
	char c;

	CHECK(!rig_pair(rig, true, &ours, &peers) && !move(ours, peers, 100), "pair");
	account_close(rig->a);
	rig->a = NULL;
	puts("held");
	fflush(stdout);
	return read(STDIN_FILENO, &c, 1) < 0;
}

static const struct rig_case cases[] = {
	{"linger", case_linger},       {"rebuild", case_rebuild, .full = true},
	{"crowd", case_crowd},	       {"restart", case_restart},
	{"moved", case_moved},	       {"cgroup", case_cgroup},
	{"double", case_double},       {"layout", case_layout},
	{"exclusive", case_exclusive}, {"late", case_late},
	{"kill", case_kill},	       {"unpin", case_unpin},
	{"hold", case_hold, true},
};

/* Opens the module and says what came of it; nothing else works less for that. */
static int say_mode(struct rig *rig)
{
	struct account_config config = {.instance = rig->instance,
					.bpffs = rig->bpffs,
					.scope = rig->scope,
					.basic = rig->basic};
	struct account_key key = {.rule_id = 1, .port = 1, .host = "x"};
	struct account *a = account_open(&config);
	uint64_t slot = 7;
	bool user;
	int rc = 0;

	user = account_mode(a) == ACCOUNT_USER;
	printf("%s fast_syn=%d %s\n", user ? "user" : "bpf", account_fast_syn(a),
	       account_reason(a));
	if (account_slot_get(a, &key, &slot) || user != !slot ||
	    account_refresh(a, clock_mono_ns()) ||
	    account_tag_upstream(a, 0, 1, 0) != (user ? 0 : -ENOENT))
		rc = 1;
	for (int i = 0; i < 2; i++) {
		account_refresh(a, clock_mono_ns());
		usleep(1000000);
	}
	account_close(a);
	return rc;
}

/* Puts records of nobody into the pinned map until there is room for @left more. */
static int fill(const struct rig *rig, unsigned left)
{
	struct account_target t = {.scope = "nobody", .name = "(filler)", .index = 1};
	uint64_t first = 1ull << 40, slot = first;
	int fd = pin_fd(rig, "targets");

	while (!bpf_map_update_elem(fd, &slot, &t, BPF_NOEXIST))
		slot++;
	CHECK(errno == E2BIG, "%s", strerror(errno));
	while (left--) {
		slot--;
		CHECK(slot >= first && !bpf_map_delete_elem(fd, &slot), "%s", strerror(errno));
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *bpffs = getenv("BPFFS");
	struct rig rig = {.instance = getenv("INSTANCE"),
			  .bpffs = bpffs ? bpffs : "/sys/fs/bpf",
			  .scope = "file:",
			  .basic = getenv("BASIC")};

	if (argc == 2 && rig.instance && !strcmp(argv[1], "mode")) {
		log_init("account_test", getenv("RUST_LOG"));
		return say_mode(&rig);
	}
	if (argc == 2 && rig.instance && !strcmp(argv[1], "remove"))
		return account_unpin(rig.bpffs, rig.instance, NULL, 0) < 0;
	if (argc == 3 && rig.instance && !strcmp(argv[1], "fill"))
		return fill(&rig, (unsigned)atoi(argv[2])) < 0;
	return rig_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
