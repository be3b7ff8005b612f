// SPDX-License-Identifier: MIT
/* The kernel relay of the process, and each worker's share in it: begun, and ended. */
#include "edge/kernelrelay/kernelrelay.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edge/kernelrelay/conntrack.h"
#include "edge/kernelrelay/entry.h"
#include "edge/kernelrelay/handover.h"
#include "edge/kernelrelay/joined.h"
#include "edge/kernelrelay/links.h"
#include "edge/kernelrelay/share.h"
#include "edge/kernelrelay/sockets.h"
#include "edge/kernelrelay/takeover.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"

#define RING_BYTES (64 * 1024)
#define TICK_NS	   NS_PER_SEC
/* At the end of the process; enough for the first repetitions on a path that is near. */
#define LAST_PACKETS_NS (NS_PER_SEC * 9 / 10)

void kernel_relay_fold(void *arg)
{
	const struct kernel_relay *k = arg;

	if (kernel_relay_ready(k))
		relay_programs_fold(&k->programs, 0, RELAY_PAIRS);
}

struct kernel_relay *kernel_relay_new(const struct kernel_relay_config *config)
{
	struct kernel_relay *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->held = calloc(RELAY_PAIRS, sizeof(*k->held));
	if (!k->held) {
		free(k);
		return NULL;
	}
	k->bpffs = config->bpffs ? config->bpffs : "/sys/fs/bpf";
	k->instance = config->instance ? config->instance : "";
	k->targets_fd = config->targets_fd;
	k->n_workers = config->n_workers;
	return k;
}

static int start(struct kernel_relay *k)
{
	int rc;

	if (!relay_sockets_usable()) {
		snprintf(k->why, sizeof(k->why),
			 "sockets cannot be put into repair mode (CAP_NET_ADMIN is missing, or the "
			 "kernel was built without CONFIG_CHECKPOINT_RESTORE)");
		return -EPERM;
	}
	rc = relay_programs_open(&k->programs, k->bpffs, k->instance, k->targets_fd, k->why,
				 sizeof(k->why));
	if (rc)
		return rc;
	rc = relay_takeover_read(k);
	if (!rc)
		rc = relay_links_sync(&k->programs);
	if (!rc)
		return 0;
	snprintf(k->why, sizeof(k->why),
		 "the programs could not be attached to the interfaces by tcx (Linux 6.6): %s",
		 strerror(-rc));
	/* What an earlier process left goes on as it was. */
	if (!k->programs.found)
		relay_programs_unpin(&k->programs);
	relay_programs_close(&k->programs);
	return rc;
}

void kernel_relay_need(struct kernel_relay *k)
{
	if (kernel_relay_ready(k) || k->why[0])
		return;
	if (start(k)) {
		log_event(LOG_WARN, "kernel_relay.unavailable", LOGF_STR("error", k->why),
			  LOGF_STR("hint", "connections are relayed in user space"));
		return;
	}
	atomic_store_explicit(&k->ready, true, memory_order_release);
	for (unsigned i = 0; i < k->n_workers && k->shares[i]; i++)
		loop_post(k->shares[i]->env->loop, &k->shares[i]->begin);
	log_event(LOG_INFO, "kernel_relay.ready", LOGF_STR("pins", k->programs.dir));
}

void kernel_relay_network_changed(struct kernel_relay *k)
{
	if (!kernel_relay_ready(k))
		return;
	relay_links_sync(&k->programs);
	for (unsigned i = 0; i < k->n_workers; i++)
		if (k->shares[i] && !atomic_exchange(&k->shares[i]->rerouting, true))
			loop_post(k->shares[i]->env->loop, &k->shares[i]->reroute);
}

void kernel_relay_take_up(struct kernel_relay *k)
{
	char path[RELAY_PATH_MAX + 16];
	char dir[RELAY_PATH_MAX];

	if (relay_pin_dir(dir, sizeof(dir), k->bpffs, k->instance))
		return;
	snprintf(path, sizeof(path), "%s/pairs", dir);
	if (!access(path, F_OK))
		kernel_relay_need(k);
}

void kernel_relay_adopt(struct kernel_relay *k, const struct relay_finder *finder)
{
	if (k->n_orphans && kernel_relay_ready(k))
		relay_takeover_adopt(k, finder);
}

const char *kernel_relay_text(const struct kernel_relay *k)
{
	return kernel_relay_ready(k) ? "ready" : k->why[0] ? "unavailable" : "unused";
}

const char *kernel_relay_reason(const struct kernel_relay *k)
{
	return k->why;
}

bool kernel_relay_ready(const struct kernel_relay *k)
{
	return atomic_load_explicit(&k->ready, memory_order_acquire);
}

/* The last acknowledgement of a connection that has just ended may have to be repeated. */
static void wait_for_last_packets(const struct kernel_relay *k)
{
	uint64_t now = clock_mono_ns(), until = atomic_load(&k->ended_ns) + LAST_PACKETS_NS;
	struct timespec t = {.tv_nsec = (long)(until - now)};

	if (until > now && until - now < NS_PER_SEC)
		nanosleep(&t, NULL);
}

void kernel_relay_free(struct kernel_relay *k)
{
	if (!k)
		return;
	if (kernel_relay_ready(k)) {
		/* Connections of an earlier process that nobody has adopted yet are for the next one. */
		if (!k->n_orphans) {
			wait_for_last_packets(k);
			relay_programs_unpin(&k->programs);
		}
		relay_programs_close(&k->programs);
	}
	free(k->orphans);
	free(k->held);
	free(k);
}

/* ---- a worker's share ---- */

static int on_news(void *arg, void *data, size_t size)
{
	const struct relay_event *e = data;
	struct relay_share *s = arg;

	if (size >= sizeof(*e) && e->slot >= s->slots.first && e->slot < s->slots.end)
		relay_joined_ended(s, e->slot, e->generation);
	return 0;
}

static void on_ring(struct io *io, unsigned slot, uint32_t events)
{
	struct relay_share *s = container_of(io, struct relay_share, io);

	loop_does(s->env->loop, "ending joined connections");
	ring_buffer__consume(s->ring);
}

/* Slots whose lingering is over. */
static void clear_slots(struct relay_share *s)
{
	int64_t slot;

	while ((slot = relay_slots_over(&s->slots, s->env->loop->now_ns)) >= 0) {
		relay_entry_forget(s, (uint32_t)slot);
		__atomic_store_n(&relay_pair_of(s, (uint32_t)slot)->word, RELAY_FREE,
				 __ATOMIC_SEQ_CST);
		relay_slots_rest(&s->slots, (uint32_t)slot, s->env->loop->now_ns);
	}
}

static int open_ring(struct relay_share *s)
{
	uint32_t worker = s->worker;
	int rc;

	s->ring_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "relay_ring", 0, 0, RING_BYTES, NULL);
	if (s->ring_fd < 0)
		return -errno;
	s->ring = ring_buffer__new(s->ring_fd, on_news, s, NULL);
	if (!s->ring ||
	    bpf_map_update_elem(s->relay->programs.rings_fd, &worker, &s->ring_fd, BPF_ANY)) {
		rc = -errno;
		goto failed;
	}
	rc = loop_add(s->env->loop, ring_buffer__epoll_fd(s->ring), &s->io, 0, EPOLLIN);
	if (!rc)
		return 0;
failed:
	ring_buffer__free(s->ring);
	s->ring = NULL;
	close(s->ring_fd);
	s->ring_fd = -1;
	return rc;
}

static void begin(struct relay_share *s)
{
	if (relay_slots_init(&s->slots, relay_slots_first(s->relay, s->worker),
			     relay_slots_end(s->relay, s->worker)))
		return;
	if (open_ring(s)) {
		relay_slots_close(&s->slots);
		return;
	}
	relay_takeover_slots(s);
	s->begun = true;
}

static void begin_when_ready(struct relay_share *s)
{
	if (!s->begun && kernel_relay_ready(s->relay))
		begin(s);
}

static void on_tick(struct timer *t)
{
	struct relay_share *s = container_of(t, struct relay_share, tick);
	struct loop *l = s->env->loop;

	begin_when_ready(s);
	if (s->begun) {
		loop_does(l, "looking after joined connections");
		if (!s->conntrack && !LIST_EMPTY(&s->joined))
			s->conntrack = relay_conntrack_open();
		relay_joined_look(s);
		clear_slots(s);
	}
	timer_set(&l->timers, &s->tick, l->now_ns + TICK_NS);
}

static void on_reroute(struct job *job)
{
	struct relay_share *s = container_of(job, struct relay_share, reroute);

	atomic_store(&s->rerouting, false);
	if (s->begun)
		relay_joined_reroute(s);
}

static void on_begin(struct job *job)
{
	begin_when_ready(container_of(job, struct relay_share, begin));
}

static void ended(struct conn_kernel *hooks, struct conn *c)
{
	struct relay_share *s = container_of(hooks, struct relay_share, hooks);

	if (c->state == CONN_KERNEL)
		relay_joined_closing(s, c);
	else
		relay_entry_abandon(s, c);
}

static void figures(struct conn_kernel *hooks, const struct conn *c, struct conn_figures *out)
{
	relay_joined_figures(container_of(hooks, struct relay_share, hooks), c, out);
}

struct relay_share *relay_share_new(struct kernel_relay *k, struct conn_env *env, unsigned worker)
{
	struct relay_share *s = io_alloc(sizeof(*s));

	if (!s)
		return NULL;
	s->io.event = on_ring;
	s->hooks.offer = relay_offer;
	s->hooks.ended = ended;
	s->hooks.figures = figures;
	s->relay = k;
	s->env = env;
	s->worker = worker;
	k->shares[worker] = s;
	s->ring_fd = -1;
	LIST_INIT(&s->joined);
	s->begin.run = on_begin;
	s->reroute.run = on_reroute;
	s->tick.fire = on_tick;
	timer_set(&env->loop->timers, &s->tick, env->loop->now_ns + TICK_NS);
	env->kernel = &s->hooks;
	return s;
}

void relay_share_free(struct relay_share *s)
{
	if (!s)
		return;
	if (s->begun) {
		ring_buffer__free(s->ring);
		close(s->ring_fd);
		relay_slots_close(&s->slots);
		relay_conntrack_close(s->conntrack);
	}
	free(s);
}
