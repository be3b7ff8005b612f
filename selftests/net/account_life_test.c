// SPDX-License-Identifier: MIT
/*
 * Runs one case of the accounting tests that concern the life of the module: restarts, records,
 * refreshes, fallbacks. test_account_kernel is the list of them; exit codes as account_test.
 */
#include "account_rig.h"

#include <bpf/bpf.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bpf/account.h"

static const char *value_of(const char *const *args, const char *name)
{
	size_t n = strlen(name);

	for (; *args; args++)
		if (!strncmp(*args, name, n) && (*args)[n] == '=')
			return *args + n + 1;
	return NULL;
}

static int pin_fd(const struct rig *rig, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/portunus/v%d-%s/%s", rig->bpffs, ACCOUNT_ABI,
		 rig->instance, name);
	return bpf_obj_get(path);
}

static bool pin_exists(const struct rig *rig, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/portunus/v%d-%s/%s", rig->bpffs, ACCOUNT_ABI,
		 rig->instance, name);
	return !access(path, F_OK);
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

static int move(int from, int to, uint64_t n)
{
	static char buf[1 << 16];

	while (n) {
		ssize_t w = send(from, buf, n < sizeof(buf) ? n : sizeof(buf), 0);

		if (w <= 0 || recv(to, buf, (size_t)w, MSG_WAITALL) != w)
			return -1;
		n -= (uint64_t)w;
	}
	rig_drained(from);
	return 0;
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
	CHECK(r.bytes_in == 123456 && r.active == 1 && r.ok == 1, "%" PRIu64, r.bytes_in);
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
	CHECK(r.bytes_in == 50000, "%" PRIu64, r.bytes_in);
	usleep(1000000);
	rig_refreshed(rig, rig->slot);
	CHECK(pin_exists(rig, old), "gone while a socket needs it");
	close(ours);
	close(peers);
	r = rig_quiet(rig, 50000, 0);
	CHECK(r.bytes_in == 50000 && r.active == 0, "%" PRIu64, r.bytes_in);
	usleep(1000000);
	rig_refreshed(rig, rig->slot);
	CHECK(!pin_exists(rig, old), "left over");
	CHECK(!rig_pair(rig, true, &ours, &peers) && !move(ours, peers, 5), "pair");
	close(ours);
	r = rig_refreshed(rig, rig->slot);
	CHECK(r.bytes_in == 50005 && r.ok == 2, "the new link does not count");
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
	CHECK(account_unpin(rig->bpffs, rig->instance) == 6, "unpin");

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
	CHECK(account_unpin(rig->bpffs, rig->instance) == 1, "unpin");
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
	CHECK(!account_tag_client(rig->a, s, RULE, rig->slot), "tag");
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

struct churn {
	struct rig *rig;
	uint64_t sent, got;
	int errors, n;
	volatile bool stop;
};

static void *churn_run(void *arg)
{
	struct churn *c = arg;

	for (int i = 0; i < c->n; i++) {
		struct end ours = {.send = (uint64_t)(i * 37)}, peers = {.send = (uint64_t)i};

		if (rig_pair(c->rig, true, &ours.fd, &peers.fd)) {
			c->errors++;
			continue;
		}
		if (i % 3 == 0) {
			close(ours.fd);
			rig_reset(peers.fd);
			continue;
		}
		ends_run(&ours, &peers);
		c->got += peers.got;
		c->sent += peers.sent;
	}
	return NULL;
}

static void *refresh_run(void *arg)
{
	struct churn *c = arg;

	for (c->n = 0; !c->stop; c->n++)
		c->errors += account_refresh(c->rig->a, clock_mono_ns()) != 0;
	return NULL;
}

static int case_churn(struct rig *rig, const char *const *args)
{
	struct churn work[2] = {{.rig = rig, .n = 1500}, {.rig = rig, .n = 1500}};
	struct churn readers[3] = {{.rig = rig}, {.rig = rig}, {.rig = rig}};
	uint64_t began = clock_mono_ns(), sent, got;
	pthread_t w[2], f[3];
	struct account_record r;
	double secs;

	for (int i = 0; i < 3; i++)
		pthread_create(&f[i], NULL, refresh_run, &readers[i]);
	for (int i = 0; i < 2; i++)
		pthread_create(&w[i], NULL, churn_run, &work[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(w[i], NULL);
	secs = (double)(clock_mono_ns() - began) / NS_PER_SEC;
	for (int i = 0; i < 3; i++) {
		readers[i].stop = true;
		pthread_join(f[i], NULL);
		CHECK(!readers[i].errors, "refresh");
		CHECK(readers[i].n <= 4 * secs + 4, "%d refreshes in %.1f s", readers[i].n, secs);
	}
	CHECK(!work[0].errors && !work[1].errors, "connections");
	got = work[0].got + work[1].got;
	sent = work[0].sent + work[1].sent;
	r = rig_quiet(rig, got, 0);
	CHECK(r.bytes_in == got && r.received_out == sent, "%" PRIu64 " for %" PRIu64, r.bytes_in,
	      got);
	CHECK(r.active == 0 && r.ok == 3000 && r.attempted == 3000, "%" PRIu64 " %" PRIu64,
	      r.active, r.ok);
	return 0;
}

/* A request is never answered by a refresh that began before it. */
static int case_refresh(struct rig *rig, const char *const *args)
{
	uint64_t t0, t1, t2, t3, asked;

	t0 = clock_mono_ns();
	CHECK(!account_refresh(rig->a, t0), "first");
	t1 = clock_mono_ns();
	CHECK(t1 - t0 < 200 * NS_PER_MS, "the first one waited");
	CHECK(!account_refresh(rig->a, t0) && clock_mono_ns() - t1 < 50 * NS_PER_MS,
	      "one that has begun since was not good enough");
	asked = clock_mono_ns();
	CHECK(!account_refresh(rig->a, asked), "second");
	t2 = clock_mono_ns();
	CHECK(t2 - t0 > 245 * NS_PER_MS && t2 - t0 < 900 * NS_PER_MS, "%" PRIu64 " ms",
	      (uint64_t)((t2 - t0) / NS_PER_MS));
	usleep(300000);
	t3 = clock_mono_ns();
	CHECK(!account_refresh(rig->a, t3) && clock_mono_ns() - t3 < 200 * NS_PER_MS, "waited");
	return 0;
}

/* Records: many of them, given back, taken again, and a full map. */
static int case_slots(struct rig *rig, const char *const *args)
{
	enum { N = 10000 };
	struct account_key key = {.rule_id = 1, .port = 80, .host = "slots.example"};
	uint64_t first = 0, slot, again, began = clock_mono_ns(), ms;
	struct account_record r;
	int ours, peers, rc;

	for (int i = 0; i < N; i++, key.rule_id++) {
		CHECK(!account_slot_get(rig->a, &key, &slot) && slot, "%d", i);
		first = first ? first : slot;
	}
	ms = (clock_mono_ns() - began) / NS_PER_MS;
	fprintf(stderr, "  %d inserts: %" PRIu64 " ms\n", N, ms);
	CHECK(ms < 500, "%" PRIu64 " ms", ms);
	account_close(rig->a);
	began = clock_mono_ns();
	CHECK(!rig_open(rig), "open");
	key.rule_id = 1;
	for (int i = 0; i < N; i++, key.rule_id++)
		CHECK(!account_slot_get(rig->a, &key, &slot) && slot == first + (uint64_t)i, "%d",
		      i);
	ms = (clock_mono_ns() - began) / NS_PER_MS;
	fprintf(stderr, "  open and %d take-overs: %" PRIu64 " ms\n", N, ms);
	CHECK(ms < 500, "%" PRIu64 " ms", ms);

	/* Given back with a socket open: stays, and can be had again. */
	CHECK(!rig_pair(rig, true, &ours, &peers) && !move(ours, peers, 10), "pair");
	slot = rig->slot;
	account_slot_put(rig->a, slot);
	for (int i = 0; i < 4; i++, usleep(700000))
		account_refresh(rig->a, clock_mono_ns());
	CHECK(!account_read(rig->a, slot, &r) && r.bytes_in == 10, "deleted under a socket");
	key = (struct account_key){.rule_id = RULE,
				   .listen_port = 4200,
				   .port = 4201,
				   .host = rig->host};
	CHECK(!account_slot_get(rig->a, &key, &again) && again == slot, "%" PRIu64, again);
	account_slot_put(rig->a, slot);
	close(ours);
	close(peers);
	for (int i = 0; i < 5; i++, usleep(700000))
		account_refresh(rig->a, clock_mono_ns());
	CHECK(account_read(rig->a, slot, &r) == -ENOENT, "not deleted");
	CHECK(!account_slot_get(rig->a, &key, &again) && again > slot, "number used twice");

	/* Full: visible; what an earlier process left makes room. */
	key = (struct account_key){.rule_id = 1, .port = 81, .host = "full.example"};
	while (!(rc = account_slot_get(rig->a, &key, &slot)))
		key.rule_id++;
	CHECK(rc == -ENOSPC && slot == 0, "%d", rc);
	account_close(rig->a);
	rig->scope = "other";
	CHECK(!rig_open(rig), "no room made");
	account_slots_settled(rig->a);
	return 0;
}

static int case_unpin(struct rig *rig, const char *const *args)
{
	int ours, peers;

	CHECK(!rig_pair(rig, true, &ours, &peers), "pair");
	CHECK(account_unpin(rig->bpffs, rig->instance) == 6, "pins");
	CHECK(!pin_exists(rig, "targets"), "left");
	CHECK(!move(ours, peers, 100), "move");
	CHECK(rig_refreshed(rig, rig->slot).bytes_in == 100, "counting ended with the pins");
	CHECK(account_unpin(rig->bpffs, rig->instance) == 0, "twice");
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

static const struct {
	const char *name;
	int (*run)(struct rig *rig, const char *const *args);
	bool keep; /* the pins, for the next process */
} cases[] = {
	{"restart", case_restart}, {"cgroup", case_cgroup},   {"double", case_double},
	{"layout", case_layout},   {"late", case_late},	      {"kill", case_kill},
	{"churn", case_churn},	   {"refresh", case_refresh}, {"slots", case_slots},
	{"unpin", case_unpin},	   {"hold", case_hold, true},
};

/* Opens the module and says what came of it; nothing else works less for that. */
static int say_mode(struct rig *rig)
{
	struct account_config config = {.instance = rig->instance,
					.bpffs = rig->bpffs,
					.scope = rig->scope};
	struct account_key key = {.rule_id = 1, .port = 1, .host = "x"};
	struct account *a = account_open(&config);
	uint64_t slot = 7;
	bool user;
	int rc = 0;

	user = account_mode(a) == ACCOUNT_USER;
	printf("%s fast_syn=%d %s\n", user ? "user" : "bpf", account_fast_syn(a),
	       account_reason(a));
	if (account_slot_get(a, &key, &slot) || user != !slot ||
	    account_refresh(a, clock_mono_ns()) || account_tag_upstream(a, 0, 1, 0))
		rc = 1;
	for (int i = 0; i < 2; i++) {
		account_refresh(a, clock_mono_ns());
		usleep(1000000);
	}
	account_close(a);
	return rc;
}

int main(int argc, char **argv)
{
	struct rig rig = {.instance = getenv("INSTANCE"),
			  .bpffs = getenv("BPFFS") ? getenv("BPFFS") : "/sys/fs/bpf",
			  .scope = "file:",
			  .host = "127.0.0.1",
			  .own = "127.0.0.1"};
	int rc = 2;

	log_init("account_test", getenv("RUST_LOG"));
	if (argc < 2 || !rig.instance) {
		fprintf(stderr, "usage: INSTANCE=name account_life_test CASE [option…]\n");
		return 2;
	}
	if (!strcmp(argv[1], "mode"))
		return say_mode(&rig);
	if (!strcmp(argv[1], "remove"))
		return account_unpin(rig.bpffs, rig.instance) < 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[1], cases[i].name))
			continue;
		rc = rig_open(&rig) || cases[i].run(&rig, (const char *const *)argv + 2);
		account_close(rig.a);
		if (!cases[i].keep)
			account_unpin(rig.bpffs, rig.instance);
	}
	return rc;
}
