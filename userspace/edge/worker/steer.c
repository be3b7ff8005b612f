// SPDX-License-Identifier: MIT
/* Ranges of TCP ports that one listening socket serves: loads and attaches the program that does it. */
#include "edge/worker/steer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf/steer.h"
#include "bpf/steer.skel.h"
#include "edge/account/messages.h"
#include "lib/base/addr.h"
#include "lib/rule/rule.h"

#define PORTS_SIZE (STEER_PORTS * sizeof(struct steer_port))

struct steer {
	struct steer_bpf *program; /* NULL: not loaded */
	struct bpf_link *link;
	struct steer_port *ports; /* the map itself */
	bool taken[STEER_RULES_MAX];
	unsigned n;
	char reason[160];
};

struct steer *steer_new(void)
{
	return calloc(1, sizeof(struct steer));
}

static void unload(struct steer *s)
{
	/* Off first, so that no packet is looked up in what goes. */
	bpf_link__destroy(s->link);
	if (s->ports)
		munmap(s->ports, PORTS_SIZE);
	steer_bpf__destroy(s->program);
	s->link = NULL;
	s->ports = NULL;
	s->program = NULL;
}

void steer_free(struct steer *s)
{
	if (!s)
		return;
	unload(s);
	free(s);
}

/* Of this process's namespace, whatever namespaces others are in. */
static int attach(struct steer *s)
{
	int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), err = 0;

	if (netns < 0)
		return -errno;
	s->link = bpf_program__attach_netns(s->program->progs.steer, netns);
	if (!s->link)
		err = -errno;
	close(netns);
	return err;
}

static int load(struct steer *s)
{
	void *ports;
	int err;

	account_take_libbpf_messages();
	s->program = steer_bpf__open_and_load();
	if (!s->program)
		return -errno;
	ports = mmap(NULL, PORTS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		     bpf_map__fd(s->program->maps.ports), 0);
	if (ports != MAP_FAILED)
		s->ports = ports;
	err = s->ports ? attach(s) : -errno;
	if (err)
		unload(s);
	return err;
}

static struct steer_rule where(const struct rule *rule)
{
	struct steer_rule r = {0};
	union addr a;

	if (!rule->listen_address || addr_parse_literal(rule->listen_address, 0, &a))
		return r;
	if (a.sa.sa_family == AF_INET) {
		r.family = AF_INET;
		r.address[0] = a.v4.sin_addr.s_addr;
	} else if (!IN6_IS_ADDR_UNSPECIFIED(&a.v6.sin6_addr)) {
		r.family = AF_INET6;
		memcpy(r.address, &a.v6.sin6_addr, sizeof(r.address));
	}
	return r;
}

static int free_place(const struct steer *s)
{
	for (int i = 0; i < STEER_RULES_MAX; i++)
		if (!s->taken[i])
			return i;
	return -ENOSPC;
}

static int fill(struct steer *s, int place, const struct rule *rule, int fd)
{
	struct steer_rule r = where(rule);

	if (bpf_map_update_elem(bpf_map__fd(s->program->maps.rules), &place, &r, BPF_ANY) < 0)
		return -errno;
	return steer_socket(s, place, fd);
}

int steer_take(struct steer *s, const struct rule *rule, int fd)
{
	int place = free_place(s), err = place < 0 ? place : 0;

	if (!err && !s->program)
		err = load(s);
	if (!err)
		err = fill(s, place, rule, fd);
	if (err) {
		snprintf(s->reason, sizeof(s->reason), "sk_lookup: %s%s", strerror(-err),
			 err == -EPERM ? " (needs CAP_BPF and CAP_NET_ADMIN, or root)" : "");
		if (!s->n)
			unload(s);
		return err;
	}
	s->reason[0] = '\0';
	s->taken[place] = true;
	s->n++;
	return place;
}

int steer_socket(struct steer *s, int place, int fd)
{
	uint64_t value = (uint64_t)fd;

	return bpf_map_update_elem(bpf_map__fd(s->program->maps.sockets), &place, &value, BPF_ANY) <
			       0
		       ? -errno
		       : 0;
}

/* The program reads while this writes: an entry is whole at any time, being one word. */
static void store(struct steer_port *to, const struct steer_port *from)
{
	uint64_t word;

	_Static_assert(sizeof(*from) == sizeof(word), "one word");
	memcpy(&word, from, sizeof(word));
	__atomic_store_n((uint64_t *)to, word, __ATOMIC_RELEASE);
}

static struct steer_port without(struct steer_port p, int place)
{
	struct steer_port out = {{0}};
	int n = 0;

	for (int i = 0; i < STEER_AT_PORT; i++)
		if (p.rule[i] && p.rule[i] != place + 1)
			out.rule[n++] = p.rule[i];
	return out;
}

bool steer_fits(const struct steer *s, int place, struct span ports)
{
	for (unsigned port = ports.first; port <= ports.last; port++)
		if (without(s->ports[port], place).rule[STEER_AT_PORT - 1])
			return false;
	return true;
}

void steer_ports(struct steer *s, int place, struct span ports, uint16_t anchor)
{
	for (unsigned port = ports.first; port <= ports.last; port++) {
		struct steer_port p = without(s->ports[port], place);
		int n = 0;

		if (port == anchor)
			continue;
		while (p.rule[n])
			n++;
		p.rule[n] = (uint16_t)(place + 1);
		store(&s->ports[port], &p);
	}
}

void steer_clear(struct steer *s, int place, struct span ports)
{
	for (unsigned port = ports.first; port <= ports.last; port++) {
		struct steer_port p = without(s->ports[port], place);

		if (s->ports[port].rule[0])
			store(&s->ports[port], &p);
	}
}

void steer_release(struct steer *s, int place)
{
	steer_clear(s, place, (struct span){1, UINT16_MAX});
	bpf_map_delete_elem(bpf_map__fd(s->program->maps.sockets), &place);
	s->taken[place] = false;
	if (!--s->n)
		unload(s);
}

unsigned steer_rules(const struct steer *s)
{
	return s->n;
}

const char *steer_reason(const struct steer *s)
{
	return s->reason;
}
