// SPDX-License-Identifier: MIT
/* The two builds of the kernel programs, in the variants that a kernel may take. */
#include "edge/account/programs.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "bpf/account.skel.h"
#include "bpf/account_basic.skel.h"
#include "edge/account/messages.h"

static const struct account_variant variants[] = {
	{NULL, true, false},  {"CONFIG_HZ=0\n", true, false},
	{NULL, false, false}, {"CONFIG_HZ=0\n", false, false},
	{NULL, true, true},   {"CONFIG_HZ=0\n", true, true},
	{NULL, false, true},  {"CONFIG_HZ=0\n", false, true},
};

const struct account_variant *account_variants(size_t *n)
{
	*n = sizeof(variants) / sizeof(variants[0]);
	return variants;
}

/* What both builds have: two types of skeleton, members of the same names. */
#define COMMON_PARTS(s)                                                                     \
	.sockets = (s)->maps.sockets, .targets = (s)->maps.targets, .meta = (s)->maps.meta, \
	.hints = (s)->maps.hints, .events = (s)->maps.events, .account = (s)->progs.account

static int open_full(struct account_programs *p, const struct bpf_object_open_opts *opts,
		     bool take_hints)
{
	struct account_bpf *s = account_bpf__open_opts(opts);

	if (!s)
		return -errno;
	s->rodata->take_hints = take_hints;
	*p = (struct account_programs){
		.full = s,
		COMMON_PARTS(s),
		.refresh = s->progs.refresh,
		.tagged = s->progs.tagged,
		.connections = s->progs.connections,
	};
	return 0;
}

static int open_basic(struct account_programs *p, const struct bpf_object_open_opts *opts,
		      bool take_hints)
{
	struct account_basic_bpf *s = account_basic_bpf__open_opts(opts);

	if (!s)
		return -errno;
	s->rodata->take_hints = take_hints;
	*p = (struct account_programs){
		.basic = s,
		COMMON_PARTS(s),
	};
	return 0;
}

int account_programs_open(struct account_programs *p, const struct account_variant *v)
{
	struct bpf_object_open_opts opts;

	account_take_libbpf_messages();
	/* libbpf looks at the padding too, which LIBBPF_OPTS leaves as it was on the stack. */
	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	opts.kconfig = v->kconfig;
	return v->basic ? open_basic(p, &opts, v->take_hints) : open_full(p, &opts, v->take_hints);
}

int account_programs_load(struct account_programs *p)
{
	return p->full ? account_bpf__load(p->full) : account_basic_bpf__load(p->basic);
}

bool account_programs_know_hz(const struct account_programs *p)
{
	return (p->full ? p->full->kconfig->CONFIG_HZ : p->basic->kconfig->CONFIG_HZ) > 0;
}

void account_programs_drop(struct account_programs *p)
{
	account_bpf__destroy(p->full);
	account_basic_bpf__destroy(p->basic);
	*p = (struct account_programs){0};
}
