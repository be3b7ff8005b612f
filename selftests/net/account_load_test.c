// SPDX-License-Identifier: MIT
/*
 * Accounting tests with many of something: connections beside refreshes, records, and what it costs.
 * test_account_kernel is the list of them, but for "cost", which people run.
 */
#include "account_rig.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>

/* Stops the module where it begins to read the sockets that there are, at the second iterator. */
static struct {
	sem_t reached, go;
	int until; /* iterators that still start at once; below 0: all */
	int started;
} brake = {.until = -1};

int bpf_iter_create(int link_fd)
{
	union bpf_attr attr;

	brake.started++;
	if (brake.until >= 0 && !brake.until--) {
		sem_post(&brake.reached);
		sem_wait(&brake.go);
	}
	memset(&attr, 0, sizeof(attr));
	attr.iter_create.link_fd = (uint32_t)link_fd;
	return (int)syscall(__NR_bpf, BPF_ITER_CREATE, &attr, sizeof(attr));
}

struct churn {
	struct rig *rig;
	uint64_t sent, got;
	int errors, n;
	atomic_bool stop;
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

static void *refresh_once(void *arg)
{
	struct churn *c = arg;

	c->errors += account_refresh(c->rig->a, clock_mono_ns()) != 0;
	return NULL;
}

static int case_churn(struct rig *rig, const char *const *args)
{
	/* The basic programs have none to disturb. */
	const int n_readers = rig->basic ? 0 : 3;
	struct churn work[2] = {{.rig = rig, .n = 1500}, {.rig = rig, .n = 1500}};
	struct churn readers[3] = {{.rig = rig}, {.rig = rig}, {.rig = rig}};
	uint64_t began = clock_mono_ns(), sent, got;
	pthread_t w[2], f[3];
	struct account_record r;
	double secs;

	for (int i = 0; i < n_readers; i++)
		pthread_create(&f[i], NULL, refresh_run, &readers[i]);
	for (int i = 0; i < 2; i++)
		pthread_create(&w[i], NULL, churn_run, &work[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(w[i], NULL);
	/* All of them first: a call takes up to a quarter of a second, in which the others go on. */
	for (int i = 0; i < n_readers; i++)
		readers[i].stop = true;
	for (int i = 0; i < n_readers; i++)
		pthread_join(f[i], NULL);
	secs = (double)(clock_mono_ns() - began) / NS_PER_SEC;
	for (int i = 0; i < n_readers; i++) {
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

/* A request is never answered by a refresh that began before it; two may follow each other at once. */
static int case_refresh(struct rig *rig, const char *const *args)
{
	uint64_t t0, t1, t2, t3;

	t0 = clock_mono_ns();
	CHECK(!account_refresh(rig->a, t0), "first");
	t1 = clock_mono_ns();
	CHECK(t1 - t0 < 200 * NS_PER_MS, "the first one waited");
	CHECK(!account_refresh(rig->a, t0) && clock_mono_ns() - t1 < 50 * NS_PER_MS,
	      "one that has begun since was not good enough");
	CHECK(!account_refresh(rig->a, clock_mono_ns()), "second");
	CHECK(clock_mono_ns() - t0 < 240 * NS_PER_MS, "the second one waited");
	CHECK(!account_refresh(rig->a, clock_mono_ns()), "third");
	t2 = clock_mono_ns();
	CHECK(t2 - t0 > 245 * NS_PER_MS && t2 - t0 < 900 * NS_PER_MS, "%" PRIu64 " ms",
	      (uint64_t)((t2 - t0) / NS_PER_MS));
	usleep(300000);
	t3 = clock_mono_ns();
	CHECK(!account_refresh(rig->a, t3) && clock_mono_ns() - t3 < 200 * NS_PER_MS, "waited");
	return 0;
}

static void *release_late(void *arg)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += 5;
	if (sem_timedwait(arg, &t))
		sem_post(&brake.go);
	return NULL;
}

/* A pass over all sockets may take long: nobody else waits for it meanwhile. */
static int case_slow_pass(struct rig *rig, const char *const *args)
{
	struct account_key key = {.rule_id = 7, .port = 80, .host = "leaves.example"};
	struct churn reader = {.rig = rig};
	struct account_record r;
	pthread_t late, refresher;
	uint64_t slot, began;
	sem_t done;

	sem_init(&brake.reached, 0, 0);
	sem_init(&brake.go, 0, 0);
	sem_init(&done, 0, 0);
	CHECK(!account_slot_get(rig->a, &key, &slot), "record");
	account_slot_put(rig->a, slot);
	brake.until = 1;
	pthread_create(&refresher, NULL, refresh_once, &reader);
	sem_wait(&brake.reached);
	pthread_create(&late, NULL, release_late, &done);
	began = clock_mono_ns();
	key.host = "comes.example";
	CHECK(!account_slot_get(rig->a, &key, &slot), "record");
	account_read_removed(rig->a, 7, &r);
	account_slot_put(rig->a, slot);
	began = clock_mono_ns() - began;
	sem_post(&done);
	sem_post(&brake.go);
	pthread_join(refresher, NULL);
	pthread_join(late, NULL);
	CHECK(began < 4 * NS_PER_SEC, "the main thread waited for the pass");
	CHECK(!reader.errors, "refresh");
	return 0;
}

/* Gives the only record of a rule a figure, as if something had been moved. */
static int set_bytes(struct rig *rig, uint64_t slot, uint64_t bytes)
{
	int fd = pin_fd(rig, "targets");
	struct account_target t;

	CHECK(!bpf_map_lookup_elem(fd, &slot, &t), "record");
	t.bytes_in = bytes;
	CHECK(!bpf_map_update_elem(fd, &slot, &t, BPF_EXIST), "record");
	close(fd);
	return 0;
}

/* Visible; no obstacle to what stays of a former target; and earlier processes' records make room. */
static int full_map(struct rig *rig)
{
	struct account_key key = {.rule_id = 1, .port = 81, .host = "full.example"};
	uint64_t slot, first = 0;
	struct account_record r;
	int rc;

	while (!(rc = account_slot_get(rig->a, &key, &slot))) {
		first = first ? first : slot;
		key.rule_id++;
	}
	CHECK(rc == -ENOSPC && slot == 0, "%d", rc);
	/* A rule with many targets does not ask for all sockets once for each. */
	brake.started = 0;
	for (int i = 0; i < 100; i++, key.rule_id++)
		CHECK(account_slot_get(rig->a, &key, &slot) == -ENOSPC, "%d", i);
	CHECK(brake.started <= 5, "%d looks at all sockets for 100 targets", brake.started);
	CHECK(!set_bytes(rig, first, 1000) && !set_bytes(rig, first + 1, 7), "figures");
	account_slot_put(rig->a, first);
	for (int i = 0; i < 5; i++, usleep(700000))
		account_refresh(rig->a, clock_mono_ns());
	account_read_removed(rig->a, 1, &r);
	CHECK(r.bytes_in == 1000, "%" PRIu64, r.bytes_in);
	key = (struct account_key){.rule_id = 1, .port = 81, .host = "full.example"};
	CHECK(account_slot_get(rig->a, &key, &slot) == -ENOSPC, "it is the sum, not a target");

	/* Rules that have not asked yet lose records, but not what was counted. */
	CHECK(!rig_reopen(rig), "open");
	key.rule_id = RULE;
	CHECK(!account_slot_get(rig->a, &key, &slot), "the one of an earlier process");
	key.host = "new.example";
	CHECK(!account_slot_get(rig->a, &key, &slot) && slot, "no room made");
	account_read_removed(rig->a, 1, &r);
	CHECK(r.bytes_in == 1000, "%" PRIu64, r.bytes_in);
	account_read_removed(rig->a, 2, &r);
	CHECK(r.bytes_in == 7, "%" PRIu64, r.bytes_in);
	rig->scope = "other";
	CHECK(!rig_reopen(rig), "no room made");
	account_slots_settled(rig->a);
	return 0;
}

/* Records: many of them, given back, taken again, and a full map. */
static int case_slots(struct rig *rig, const char *const *args)
{
	enum { N = 10000 };
	struct account_key key = {.rule_id = 1, .port = 80, .host = "slots.example"};
	uint64_t first = 0, slot, again, began = clock_mono_ns(), ms;
	struct account_record r;
	int ours, peers;

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
	CHECK(!account_slot_get(rig->a, &key, &again) && again > slot, "number used twice");
	account_read_removed(rig->a, RULE, &r);
	CHECK(r.bytes_in == 10, "%" PRIu64, r.bytes_in);

	return full_map(rig);
}

struct cost {
	uint64_t ns, runs;
};

static struct cost program_cost(const struct rig *rig)
{
	struct bpf_link_info link = {0};
	struct bpf_prog_info prog = {0};
	uint32_t len = sizeof(link), plen = sizeof(prog);
	int fd = pin_fd(rig, "link"), pfd;

	bpf_obj_get_info_by_fd(fd, &link, &len);
	pfd = bpf_prog_get_fd_by_id(link.prog_id);
	bpf_obj_get_info_by_fd(pfd, &prog, &plen);
	close(fd);
	close(pfd);
	return (struct cost){prog.run_time_ns, prog.run_cnt};
}

/* Connections of one byte, one after another, tagged as the edge tags the usual one: by the listener
 * and by the worker's hint. *ns: how long they took. */
static int connect_many(struct rig *rig, int n, bool tagged, uint64_t *ns)
{
	int l = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_storage ss;
	bool counted = true;
	uint64_t began;
	socklen_t len;

	if (tagged)
		account_tag_listener(rig->a, l, RULE, rig->none, rig->slot);
	rig_address("127.0.0.1", (uint16_t)rig_listen(l, "127.0.0.1"), &ss, &len);
	began = clock_mono_ns();
	for (int i = 0; i < n; i++) {
		int c = socket(AF_INET, SOCK_STREAM, 0), s;
		char byte = 0;

		CHECK(!(tagged ? account_connect(rig->a, 0, c, (struct sockaddr *)&ss, len,
						 &(struct account_tag){.rule_id = RULE,
								       .slot = rig->slot},
						 &counted)
			       : connect(c, (struct sockaddr *)&ss, len)) &&
			      counted,
		      "connect");
		s = accept(l, NULL, NULL);
		CHECK(write(c, &byte, 1) == 1 && read(s, &byte, 1) == 1, "data");
		rig_reset(s);
		close(c);
	}
	*ns = clock_mono_ns() - began;
	close(l);
	return 0;
}

/* What the program costs by the kernel's own clock: no assertion, for the documentation. */
static int case_cost(struct rig *rig, const char *const *args)
{
	enum { GIB = 8, N = 10000 };
	struct end ours = {.send = (uint64_t)GIB << 30}, peers = {0};
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME), l;
	struct cost a, b;
	uint64_t t;

	CHECK(stats >= 0 && !rig_pair(rig, true, &ours.fd, &peers.fd), "pair");
	a = program_cost(rig);
	t = clock_mono_ns();
	ends_run(&ours, &peers);
	t = clock_mono_ns() - t;
	b = program_cost(rig);
	printf("bulk: %d GiB in %.2f s, %.2f ms of BPF per GB, %.0f ns a run, %.0f runs per GB\n",
	       GIB, (double)t / 1e9, (double)(b.ns - a.ns) / 1e6 / (GIB * 1.073741824),
	       (double)(b.ns - a.ns) / (double)(b.runs - a.runs),
	       (double)(b.runs - a.runs) / (GIB * 1.073741824));

	a = program_cost(rig);
	CHECK(!connect_many(rig, N, true, &t), "connections");
	b = program_cost(rig);
	printf("connections: %.2f us of BPF for both sockets of one, %.1f runs\n",
	       (double)(b.ns - a.ns) / 1e3 / N, (double)(b.runs - a.runs) / N);
	close(stats);
	for (int i = 0; i < 5; i++) {
		uint64_t with, without;

		CHECK(!connect_many(rig, N, true, &with), "connections");
		CHECK(!connect_many(rig, N, false, &without), "connections");
		printf("connections: %.2f us each tagged, %.2f us not\n", (double)with / 1e3 / N,
		       (double)without / 1e3 / N);
	}
	l = socket(AF_INET, SOCK_STREAM, 0);
	t = clock_mono_ns();
	for (int i = 0; i < 100000; i++)
		account_tag_upstream(rig->a, l, RULE, rig->slot);
	printf("tag: %.2f us\n", (double)(clock_mono_ns() - t) / 1e3 / 100000);
	close(l);
	return 0;
}

static const struct rig_case cases[] = {
	{"churn", case_churn},
	{"refresh", case_refresh, .full = true},
	{"slots", case_slots, .full = true},
	{"slow-pass", case_slow_pass, .full = true},
	{"cost", case_cost},
};

int main(int argc, char **argv)
{
	return rig_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
