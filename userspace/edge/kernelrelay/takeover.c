// SPDX-License-Identifier: MIT
/* Connections that an earlier process handed over: found, and given to the rules and workers of this one. */
#include "edge/kernelrelay/takeover.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "bpf/account.h"
#include "edge/kernelrelay/entry.h"
#include "edge/kernelrelay/joined.h"
#include "edge/kernelrelay/share.h"
#include "edge/kernelrelay/sockets.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

/* A connection on its way to its worker; without a service: to its end. */
struct adoption {
	struct job job;
	struct relay_share *share;
	struct service *service;
	struct target *target;
	uint32_t slot;
};

/* The accounting may have begun anew since: then the key is nobody's, or will be another target's. */
static void check_record(const struct kernel_relay *k, struct relay_pair *p)
{
	struct account_target t;

	if (k->targets_fd < 0 || bpf_map_lookup_elem(k->targets_fd, &p->record, &t) ||
	    t.rule_id != p->rule_id)
		p->record = 0;
}

int relay_takeover_read(struct kernel_relay *k)
{
	struct relay_pair *pairs = k->programs.pairs;
	uint32_t n = 0;

	if (!k->programs.found)
		return 0;
	for (uint32_t slot = 0; slot < RELAY_PAIRS; slot++) {
		uint64_t state = RELAY_STATE(pairs[slot].word);

		n += state == RELAY_JOINED;
		if (state == RELAY_JOINED || state == RELAY_ENDED)
			check_record(k, &pairs[slot]);
	}
	k->orphans = malloc((n + 1) * sizeof(*k->orphans));
	if (!k->orphans)
		return -ENOMEM;
	for (uint32_t slot = 0; slot < RELAY_PAIRS && k->n_orphans < n; slot++)
		if (RELAY_STATE(pairs[slot].word) == RELAY_JOINED)
			k->orphans[k->n_orphans++] = slot;
	k->found_ns = clock_mono_ns();
	log_event(LOG_INFO, "kernel_relay.found", LOGF_UINT("connections", k->n_orphans));
	return 0;
}

void relay_takeover_slots(struct relay_share *s)
{
	uint64_t now = s->env->loop->now_ns;

	for (uint32_t slot = s->slots.first; slot < s->slots.end; slot++) {
		struct relay_pair *p = relay_pair_of(s, slot);

		switch (RELAY_STATE(p->word)) {
		case RELAY_JOINED:
			break; /* an orphan */
		case RELAY_ENDED:
			relay_programs_fold(&s->relay->programs, slot, slot + 1);
			relay_slots_linger(&s->slots, slot, now);
			break;
		case RELAY_OBSERVED: /* its sockets ended with their process */
			relay_entry_forget(s, slot);
			__atomic_store_n(&p->word, RELAY_FREE, __ATOMIC_SEQ_CST);
			relay_slots_rest(&s->slots, slot, now);
			break;
		default:
			relay_slots_put(&s->slots, slot);
		}
	}
}

/* Silent sockets in the place of those that are gone; the kernel gives their ports to nobody else. */
static int make_sockets(const struct relay_share *s, const struct relay_pair *p, int fd[2])
{
	for (int leg = CLIENT; leg <= TARGET; leg++) {
		fd[leg] = relay_socket_remake(&p->tuple[leg], p->flags & RELAY_IPV6,
					      p->leg[leg].handed_una, p->leg[!leg].handed_snd,
					      s->relay->programs.hush_fd);
		if (fd[leg] >= 0)
			continue;
		if (leg == TARGET)
			close(fd[CLIENT]);
		return fd[leg];
	}
	return 0;
}

static void adopt(struct relay_share *s, const struct adoption *a)
{
	const struct relay_pair *p = relay_pair_of(s, a->slot);
	struct conn *c = NULL;
	int fd[2], rc = 0;

	/* It ended before the worker began, which has its slot among the others since. */
	if (relay_slots_known(&s->slots, a->slot))
		return;
	/* A SYN of the peer, or the end that came meanwhile, is found by the next look. */
	if (a->service)
		rc = make_sockets(s, p, fd);
	if (a->service && !rc) {
		c = conn_adopt(s->env, a->service, a->target, fd,
			       (uint32_t)(p->started_ns / NS_PER_MS));
		if (!c) {
			close(fd[CLIENT]);
			close(fd[TARGET]);
		}
	}
	if (!c) {
		log_event(LOG_WARN, "kernel_relay.dropped", LOGF_UINT("rule", p->rule_id),
			  LOGF_STR("error", a->service ? "its sockets could not be made again"
						       : "its rule or target is gone"));
		relay_joined_reset(s, a->slot);
		return;
	}
	c->kernel_slot = a->slot + 1;
	conn_note_port(c, ntohs(p->tuple[CLIENT].local_port));
	relay_joined_adopt(s, c);
}

/* On the worker's thread. */
static void on_adopt(struct job *job)
{
	struct adoption *a = (struct adoption *)job;

	adopt(a->share, a);
	if (a->service) {
		service_unref(a->service);
		target_unref(a->target);
	}
	free(a);
}

static void post(struct kernel_relay *k, uint32_t slot, struct service *service,
		 struct target *target)
{
	struct adoption *a = calloc(1, sizeof(*a));

	if (!a) {
		log_event(LOG_ERROR, "worker.request_lost", LOGF_STR("error", "out of memory"));
		return;
	}
	a->job.run = on_adopt;
	a->slot = slot;
	a->share = relay_share_of(k, slot);
	if (service) {
		a->service = service_ref(service);
		a->target = target_ref(target);
	}
	loop_post(a->share->env->loop, &a->job);
}

void relay_takeover_adopt(struct kernel_relay *k, const struct relay_finder *finder)
{
	bool late = clock_mono_ns() - k->found_ns > finder->patience_ns;
	uint32_t left = 0;

	for (uint32_t i = 0; i < k->n_orphans; i++) {
		uint32_t slot = k->orphans[i];
		const struct relay_pair *p = &k->programs.pairs[slot];
		struct service *service = NULL;
		struct target *target = NULL;

		/* A worker that has had no memory for its ring tries again. */
		if (atomic_load(&relay_share_of(k, slot)->begun) &&
		    (finder->find(finder->arg, p->rule_id, p->target_hash, &service, &target) ||
		     late))
			post(k, slot, service, target);
		else
			k->orphans[left++] = slot;
	}
	k->n_orphans = left;
}
