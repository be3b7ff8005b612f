// SPDX-License-Identifier: MIT
/* The entries of the maps as user space writes them: an observed pair, and its end. */
#include "edge/kernelrelay/entry.h"

#include <bpf/bpf.h>
#include <string.h>

#include "edge/kernelrelay/share.h"
#include "edge/kernelrelay/sockets.h"
#include "edge/target/path.h"

static void set_word(struct relay_pair *p, uint64_t word)
{
	__atomic_store_n(&p->word, word, __ATOMIC_SEQ_CST);
}

uint64_t relay_target_hash(const struct target *t)
{
	uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a */

	for (const char *s = t->host; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3ull;
	return (h ^ t->port) * 0x100000001b3ull;
}

static void fill(struct relay_share *s, const struct conn *c, struct relay_pair *p, bool v6)
{
	uint32_t generation = p->generation + 1;
	struct relay_tuple tuple[2];

	memcpy(tuple, p->tuple, sizeof(tuple));
	memset(p, 0, sizeof(*p));
	memcpy(p->tuple, tuple, sizeof(tuple));
	p->generation = generation;
	p->flags = v6 ? RELAY_IPV6 : 0;
	p->worker = s->worker;
	p->record = c->target->slot;
	p->rule_id = c->service->rule->id;
	p->target_hash = relay_target_hash(c->target);
	p->started_ns = (uint64_t)c->started_ms * NS_PER_MS;
}

int relay_entry_observe(struct relay_share *s, struct conn *c)
{
	const struct relay_programs *progs = &s->relay->programs;
	int64_t slot = relay_slots_get(&s->slots);
	struct relay_pair *p;
	bool v6[2];

	if (slot < 0)
		return PATH_NO_SLOT;
	p = relay_pair_of(s, (uint32_t)slot);
	if (relay_socket_tuple(c->fd[CLIENT], &p->tuple[0], &v6[0]) ||
	    relay_socket_tuple(c->fd[TARGET], &p->tuple[1], &v6[1])) {
		relay_slots_put(&s->slots, (uint32_t)slot);
		return PATH_STATE;
	}
	if (v6[0] != v6[1]) {
		relay_slots_put(&s->slots, (uint32_t)slot);
		return PATH_FAMILY;
	}
	fill(s, c, p, v6[0]);
	set_word(p, RELAY_OBSERVED);
	c->kernel_slot = (uint32_t)slot + 1;
	for (uint32_t leg = 0; leg < 2; leg++) {
		uint32_t value = (uint32_t)slot << 1 | leg;

		if (bpf_map_update_elem(progs->tuples_fd, &p->tuple[leg], &value, BPF_ANY)) {
			relay_entry_abandon(s, c);
			return PATH_LOCAL;
		}
	}
	relay_held_of(s, (uint32_t)slot)->conn = c;
	return PATH_KERNEL;
}

void relay_entry_forget(struct relay_share *s, uint32_t slot)
{
	const int fd = s->relay->programs.tuples_fd;
	const struct relay_pair *p = relay_pair_of(s, slot);

	for (uint32_t leg = 0; leg < 2; leg++) {
		uint32_t value;

		/* A newer connection may have the tuple. */
		if (!bpf_map_lookup_elem(fd, &p->tuple[leg], &value) && value == (slot << 1 | leg))
			bpf_map_delete_elem(fd, &p->tuple[leg]);
	}
}

void relay_entry_abandon(struct relay_share *s, struct conn *c)
{
	uint32_t slot = relay_slot_of(c);

	relay_entry_forget(s, slot);
	set_word(relay_pair_of(s, slot), RELAY_FREE);
	relay_held_of(s, slot)->conn = NULL;
	relay_slots_rest(&s->slots, slot, s->env->loop->now_ns);
	c->kernel_slot = 0;
}
