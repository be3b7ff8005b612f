// SPDX-License-Identifier: MIT
/*
 * Accounting tests of one connection each: what real sockets moved, without the relay, against what
 * the kernel counted. test_account_kernel is the list of them.
 */
#include "account_rig.h"
#include "edge/account/state.h"

#define MIB (1ull << 20)

/* How much each case moves: "bytes=N" on the command line. */
static uint64_t amount(const char *const *args)
{
	for (; *args; args++)
		if (!strncmp(*args, "bytes=", 6))
			return strtoull(*args + 6, NULL, 0);
	return 24 * MIB + 7;
}

static bool option(const char *const *args, const char *name)
{
	for (; *args; args++)
		if (!strcmp(*args, name))
			return true;
	return false;
}

/*
 * One transfer and the comparison with what both ends read. Options: upload, download (neither:
 * both), client (the accounted socket is an accepted one), ours-first, peer-first (who sends its
 * FIN before the other begins), straight (close without shutdown).
 */
static int case_transfer(struct rig *rig, const char *const *args)
{
	bool upstream = !option(args, "client");
	uint64_t n = amount(args), in, out;
	struct end ours = {.send = option(args, "download") ? 0 : n},
		   peers = {.send = option(args, "upload") ? 0 : n / 2 + 1};
	struct account_record r;

	ours.last = option(args, "peer-first");
	peers.last = option(args, "ours-first");
	ours.straight = peers.straight = option(args, "straight");
	if (rig_pair(rig, upstream, &ours.fd, &peers.fd))
		return -1;
	ends_run(&ours, &peers);
	CHECK(!ours.error && !peers.error, "%d %d", ours.error, peers.error);
	in = upstream ? peers.got : 0;
	out = upstream ? 0 : peers.got;
	r = rig_quiet(rig, in, out);
	CHECK(peers.got == ours.send && ours.got == peers.send, "the test's own ends");
	CHECK(r.bytes_in == in, "%" PRIu64 " for %" PRIu64, r.bytes_in, in);
	CHECK(r.bytes_out == out, "%" PRIu64 " for %" PRIu64, r.bytes_out, out);
	CHECK((upstream ? r.received_out : r.received_in) == ours.got,
	      "received %" PRIu64 " %" PRIu64 " for %" PRIu64, r.received_out, r.received_in,
	      ours.got);
	CHECK(r.active == 0 && r.ok == upstream && r.resets == 0, "%" PRIu64 " %" PRIu64, r.active,
	      r.ok);
	return 0;
}

/* What is sent before accept() and before the target is chosen goes to the chosen target. */
static int case_inherit(struct rig *rig, const char *const *args)
{
	char buf[4096] = {0};
	struct account_record r;
	int ours, peers;

	CHECK(!rig_pair(rig, false, &ours, &peers), "pair");
	close(ours);
	close(peers);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), port;

	CHECK(!account_tag_listener(rig->a, l, RULE, rig->none, 0), "tag");
	port = rig_listen(l, "127.0.0.1");
	CHECK(!rig_connect(c, "127.0.0.1", (uint16_t)port), "connect");
	CHECK(write(c, buf, 1000) == 1000, "write");
	ours = accept(l, NULL, NULL);
	CHECK(write(ours, buf, 500) == 500, "write");
	rig_drained(ours);
	r = rig_refreshed(rig, rig->slot);
	CHECK(r.received_in == 0 && r.bytes_out == 0, "counted before the choice");
	CHECK(!account_tag_client(rig->a, ours, RULE, rig->slot, 0), "tag");
	r = rig_refreshed(rig, rig->slot);
	CHECK(rig->basic || (r.received_in == 1000 && r.bytes_out == 500), "%" PRIu64 " %" PRIu64,
	      r.received_in, r.bytes_out);
	close(c);
	close(ours);
	r = rig_quiet(rig, 0, 500);
	CHECK(r.received_in == 1000 && r.bytes_out == 500, "%" PRIu64 " %" PRIu64, r.received_in,
	      r.bytes_out);
	r = rig_read(rig, rig->none);
	CHECK(r.received_in == 0 && r.bytes_out == 0, "in the unassigned record too");
	return 0;
}

/* Closed before a target was chosen: the rule's unassigned record has it. */
static int case_unassigned(struct rig *rig, const char *const *args)
{
	char buf[4096] = {0};
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), s;
	struct account_record r;

	account_tag_listener(rig->a, l, RULE, rig->none, 0);
	CHECK(!rig_connect(c, "127.0.0.1", (uint16_t)rig_listen(l, "127.0.0.1")), "connect");
	CHECK(write(c, buf, 777) == 777, "write");
	s = accept(l, NULL, NULL);
	CHECK(write(s, buf, 99) == 99, "write");
	rig_drained(s);
	r = rig_refreshed(rig, rig->none);
	CHECK(r.received_in == 0, "folded while pending");
	rig_reset(s);
	r = rig_refreshed(rig, rig->none);
	CHECK(r.received_in == 777 && r.bytes_out == 99, "%" PRIu64 " %" PRIu64, r.received_in,
	      r.bytes_out);
	return 0;
}

/* A connect to host:port= that fails with errno= after a SYN (attempted) or before it. */
static int case_connect(struct rig *rig, const char *const *args)
{
	struct account_record r;
	struct sockaddr_storage ss;
	socklen_t len;
	int family = rig_address(rig->host, 0, &ss, &len), fd = socket(family, SOCK_STREAM, 0);
	int want = 0, port = 9, syns = 1, rc;

	for (; *args; args++) {
		sscanf(*args, "errno=%d", &want);
		sscanf(*args, "port=%d", &port);
		sscanf(*args, "attempted=%d", &syns);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &(int){1}, sizeof(int));
	CHECK(!account_tag_upstream(rig->a, fd, RULE, rig->slot), "tag");
	rc = rig_connect(fd, rig->host, (uint16_t)port);
	CHECK(rc == -want, "connect: %s", strerror(-rc));
	account_poll(rig->a);
	r = rig_read(rig, rig->slot);
	CHECK(r.attempted == (uint64_t)syns && r.failed == (uint64_t)syns && r.ok == 0,
	      "%" PRIu64 " %" PRIu64 " %" PRIu64, r.attempted, r.failed, r.ok);
	CHECK((int)r.last_errno == (syns ? want : 0), "errno %d", (int)r.last_errno);
	CHECK(rig->events[ACCOUNT_EVENT_CONNECT_FAILED] == syns, "event");
	CHECK(r.active == 0 && r.aborted == 0, "active");
	return 0;
}

/* Gives up a connect into a black hole: aborted, and three SYNs within 350 ms. */
static int case_abandon(struct rig *rig, const char *const *args)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct account_record r;

	CHECK(!account_tag_upstream(rig->a, fd, RULE, rig->slot), "tag");
	CHECK(rig_connect(fd, rig->host, 9) == -EINPROGRESS, "connect");
	usleep(350000);
	CHECK(rig_info(fd).tcpi_total_retrans >= 2, "%u SYN retransmissions",
	      rig_info(fd).tcpi_total_retrans);
	close(fd);
	r = rig_read(rig, rig->slot);
	CHECK(r.attempted == 1 && r.aborted == 1 && r.failed == 0, "%" PRIu64 " %" PRIu64,
	      r.attempted, r.aborted);
	return 0;
}

/* The peer, or with "ours" we, send a RST when all is acknowledged. */
static int case_reset_quiet(struct rig *rig, const char *const *args)
{
	bool upstream = !option(args, "client"), by_us = option(args, "ours");
	static char buf[300000];
	struct account_record r;
	struct tcp_info peer;
	int ours, peers, err = 0;
	ssize_t n = 0, w;

	CHECK(!rig_pair(rig, upstream, &ours, &peers), "pair");
	w = send(ours, buf, 200001, 0);
	CHECK(w == 200001, "send");
	while (n < w)
		n += recv(peers, buf, sizeof(buf), 0);
	CHECK(send(peers, buf, 5003, 0) == 5003, "send");
	CHECK(recv(ours, buf, 5003, MSG_WAITALL) == 5003, "recv");
	rig_drained(ours);
	rig_drained(peers);
	peer = rig_info(peers);
	rig_reset(by_us ? ours : peers);
	r = rig_quiet(rig, upstream ? peer.tcpi_bytes_received : 0,
		      upstream ? 0 : peer.tcpi_bytes_received);
	CHECK((upstream ? r.bytes_in : r.bytes_out) == peer.tcpi_bytes_received,
	      "%" PRIu64 " %" PRIu64, r.bytes_in, r.bytes_out);
	CHECK((upstream ? r.received_out : r.received_in) == 5003, "received");
	CHECK(r.resets == !by_us && r.active == 0, "resets %" PRIu64, r.resets);
	account_poll(rig->a);
	CHECK(rig->events[ACCOUNT_EVENT_RESET] == !by_us, "event");
	CHECK(by_us || (int)r.last_errno == ECONNRESET, "errno %d %d", (int)r.last_errno, err);
	return 0;
}

/* The peer resets in the middle of a stream: the truth is the sending socket's own count. */
static int case_reset_busy(struct rig *rig, const char *const *args)
{
	bool upstream = !option(args, "client");
	static char buf[1 << 20];
	struct account_record r;
	uint64_t acked, got;
	int ours, peers;

	CHECK(!rig_pair(rig, upstream, &ours, &peers), "pair");
	for (int i = 0; i < 40; i++) {
		send(ours, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
		recv(peers, buf, 100000, MSG_DONTWAIT);
	}
	rig_reset(peers);
	usleep(50000);
	acked = rig_info(ours).tcpi_bytes_acked - upstream;
	close(ours);
	r = rig_quiet(rig, upstream ? acked : 0, upstream ? 0 : acked);
	/* A RST that was lost comes again when our side repeats its data. */
	for (int i = 0; i < 300 && !r.resets; i++, usleep(10000))
		r = rig_read(rig, rig->slot);
	got = upstream ? r.bytes_in : r.bytes_out;
	CHECK(got == acked && acked > 0, "%" PRIu64 " for %" PRIu64, got, acked);
	CHECK(r.resets == 1 && r.active == 0, "resets");
	return 0;
}

/* shutdown() with data still unacknowledged, then close(). */
static int case_shutdown_close(struct rig *rig, const char *const *args)
{
	bool upstream = !option(args, "client");
	struct end peers = {0};
	static char buf[1 << 20];
	struct account_record r;
	uint64_t sent = 0;
	int ours;

	CHECK(!rig_pair(rig, upstream, &ours, &peers.fd), "pair");
	for (ssize_t w; (w = send(ours, buf, sizeof(buf), MSG_DONTWAIT)) > 0;)
		sent += (uint64_t)w;
	shutdown(ours, SHUT_WR);
	close(ours);
	end_run(&peers);
	r = rig_quiet(rig, upstream ? sent : 0, upstream ? 0 : sent);
	CHECK(peers.got == sent, "the peer read %" PRIu64 " of %" PRIu64, peers.got, sent);
	CHECK((upstream ? r.bytes_in : r.bytes_out) == sent, "%" PRIu64 " %" PRIu64 " for %" PRIu64,
	      r.bytes_in, r.bytes_out, sent);
	return 0;
}

/*
 * Bursts, then silence, with the connection open: a refreshed read is exact. With the basic programs
 * it may lack the last burst of each side: the kernel tells of one sample in each round trip.
 */
static int case_idle(struct rig *rig, const char *const *args)
{
	static char buf[1 << 20];
	struct account_record r;
	uint64_t in = 0, out = 0, late_in = 0, late_out = 0;
	int ours, peers;

	CHECK(!rig_pair(rig, true, &ours, &peers), "pair");
	for (int i = 1; i < 30; i++) {
		ssize_t n = i * 17001, m = i * 301;

		CHECK(send(ours, buf, (size_t)n, 0) == n, "send");
		CHECK(recv(peers, buf, (size_t)n, MSG_WAITALL) == n, "recv");
		CHECK(send(peers, buf, (size_t)m, 0) == m, "send");
		CHECK(recv(ours, buf, (size_t)m, MSG_WAITALL) == m, "recv");
		in += (uint64_t)n;
		out += (uint64_t)m;
		late_in = rig->basic ? (uint64_t)n : 0;
		late_out = rig->basic ? (uint64_t)m : 0;
	}
	rig_drained(ours);
	rig_drained(peers);
	r = rig_refreshed(rig, rig->slot);
	CHECK(r.bytes_in <= in && r.bytes_in >= in - late_in && r.received_out <= out &&
		      r.received_out >= out - late_out && r.active == 1,
	      "%" PRIu64 " %" PRIu64 " for %" PRIu64 " %" PRIu64, r.bytes_in, r.received_out, in,
	      out);
	CHECK(r.srtt_us > 0 && r.connect_us_max > 0, "times");
	close(ours);
	close(peers);
	r = rig_quiet(rig, in, 0);
	CHECK(r.bytes_in == in && r.received_out == out && !r.active, "%" PRIu64 " %" PRIu64,
	      r.bytes_in, r.received_out);
	return 0;
}

/* One connect as worker @worker; the peer's end is dropped. */
static int hint_connect(struct rig *rig, unsigned worker, const char *host, uint16_t port,
			bool *counted)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int family = rig_address(host, port, &ss, &len), rc;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	rc = account_connect(rig->a, worker, fd, (struct sockaddr *)&ss, len,
			     &(struct account_tag){.rule_id = RULE, .slot = rig->slot}, counted);
	close(fd);
	return rc;
}

struct hint_thread {
	struct rig *rig;
	uint16_t port;
	int rc;
	bool counted;
};

/* Worker 1: its first connect, by a tag, and one by a hint. */
static void *hint_other(void *arg)
{
	struct hint_thread *t = arg;
	bool second = false;

	t->rc = hint_connect(t->rig, 1, "127.0.0.1", t->port, &t->counted);
	t->rc |= hint_connect(t->rig, 1, "127.0.0.1", t->port, &second);
	t->counted &= second;
	return NULL;
}

/* A worker's first connect is tagged, the next ones hinted; a hint is for one socket of one thread. */
static int case_hint(struct rig *rig, const char *const *args)
{
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), c;
	int port = rig_listen(l, "127.0.0.1"), rc;
	struct hint_thread other = {.rig = rig, .port = (uint16_t)port};
	bool counted = false;
	struct account_record r;
	pthread_t thread;

	for (uint64_t n = 1; n <= 3; n++) {
		CHECK(!hint_connect(rig, 0, "127.0.0.1", (uint16_t)port, &counted) && counted,
		      "connect");
		r = rig_read(rig, rig->slot);
		CHECK(r.attempted == n && r.ok == n, "%" PRIu64 " of %" PRIu64, r.ok, n);
		CHECK(rig->a->tagger.hints && rig->a->tagger.hints[0].known,
		      "hints are not in use");
	}
	/* Not by a hint that nobody left, and not by one whose connect sent no SYN. */
	c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(!rig_connect(c, "127.0.0.1", (uint16_t)port), "connect");
	close(c);
	rc = hint_connect(rig, 0, "255.255.255.255", 9, &counted);
	CHECK(rc < 0 && counted, "%d", rc);
	c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(!rig_connect(c, "127.0.0.1", (uint16_t)port), "connect");
	close(c);
	r = rig_read(rig, rig->slot);
	CHECK(r.attempted == 3, "%" PRIu64 " attempted", r.attempted);

	CHECK(!pthread_create(&thread, NULL, hint_other, &other), "thread");
	pthread_join(thread, NULL);
	CHECK(!other.rc && other.counted, "the other thread");
	r = rig_read(rig, rig->slot);
	CHECK(r.attempted == 5 && r.ok == 5, "%" PRIu64 " attempted", r.attempted);
	/* Refused at once: still a SYN, so still counted. */
	close(l);
	counted = false;
	CHECK(hint_connect(rig, 0, "127.0.0.1", (uint16_t)port, &counted) == -ECONNREFUSED,
	      "refused");
	r = rig_read(rig, rig->slot);
	CHECK(r.attempted == 6 && r.failed == 1, "%" PRIu64 " failed", r.failed);
	return 0;
}

static const struct rig_case cases[] = {
	{"transfer", case_transfer},
	{"inherit", case_inherit},
	{"unassigned", case_unassigned},
	{"connect", case_connect},
	{"abandon", case_abandon},
	{"reset-quiet", case_reset_quiet},
	{"reset-busy", case_reset_busy},
	{"shutdown-close", case_shutdown_close},
	{"idle", case_idle},
	{"hint", case_hint},
};

int main(int argc, char **argv)
{
	return rig_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
