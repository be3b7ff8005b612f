/* SPDX-License-Identifier: MIT */
#ifndef PORTUNUS_SELFTESTS_UNIT_RIG_CONN_H
#define PORTUNUS_SELFTESTS_UNIT_RIG_CONN_H

/* A worker's connections without the worker: the test's own thread runs the loop. */

#include <signal.h>

#include "edge/account/account.h"
#include "edge/conn/accept.h"
#include "edge/conn/core.h"
#include "edge/conn/list.h"
#include "edge/target/hops.h"
#include "selftests/unit/rig.h"

struct rig_conn {
	struct loop loop;
	struct conn_env env;
	struct account *account;
	struct hops *hops;
	struct target_watch watch;
	struct service *service;
	unsigned changes; /* of health */
};

static inline void rig_changed(void *arg, struct target *t, enum health_state to)
{
	((struct rig_conn *)arg)->changes++;
}

static inline void rig_conn_open(struct rig_conn *r)
{
	memset(r, 0, sizeof(*r));
	log_init("test", "off");
	signal(SIGPIPE, SIG_IGN); /* splice(2) raises it, and the program ignores it */
	r->account = account_open(&(struct account_config){.disable = true});
	assert_non_null(r->account);
	assert_int_equal(loop_init(&r->loop), 0);
	r->env.loop = r->env.dials.loop = &r->loop;
	r->env.account = r->env.dials.account = r->account;
	r->hops = r->env.dials.hops = hops_new();
	assert_non_null(r->hops);
	r->env.fast_syn = true;
	r->env.sweep_limit_ms = 75000;
	assert_int_equal(conn_env_init(&r->env), 0);
	r->watch = (struct target_watch){.changed = rig_changed, .arg = r};
}

/* The rule that the next connections are for; takes it over. */
static inline void rig_conn_rule(struct rig_conn *r, struct rule *rule)
{
	r->service = service_new(rule, NULL, r->account, &r->watch);
	assert_non_null(r->service);
	service_in_force(r->service, NULL);
	rule_free(rule);
}

static inline bool rig_all(const struct conn_view *v, const void *arg)
{
	return true;
}

static inline void rig_conn_close(struct rig_conn *r)
{
	conn_end_matching(&r->env, END_DRAINED, rig_all, NULL);
	dial_abandon_all(&r->env.dials);
	rig_spin(&r->loop, 1);
	assert_int_equal(r->env.conns.in_use, 0);
	assert_int_equal(r->env.walks.in_use, 0);
	assert_int_equal(r->env.dials.slab.in_use, 0);
	assert_int_equal(r->env.relay.pool.n_lent, 0);
	conn_env_close(&r->env);
	loop_close(&r->loop);
	if (r->service) {
		assert_int_equal(totals_sum(r->service->totals).active, 0);
		service_unref(r->service);
	}
	account_close(r->account);
	hops_free(r->hops);
}

/* A client whose connection the edge has just accepted; returns the client's end. */
static inline int rig_client(struct rig_conn *r)
{
	int fd[2];

	rig_tcp_pair(fd);
	r->loop.now_ns = clock_mono_ns();
	conn_new(&r->env, r->service, &(struct accepted){.fd = fd[1]}, 0);
	return fd[0];
}

static inline uint64_t rig_ended(const struct rig_conn *r, enum end_reason reason)
{
	return totals_sum(r->service->totals).ended[reason];
}

/* attempted = ok + failed + timed_out + abandoned + local + pending */
static inline uint64_t rig_pending(const struct target *t)
{
	return target_sum(t).attempted - target_sum(t).ok - target_sum(t).failed -
	       target_sum(t).timed_out - target_sum(t).abandoned - target_sum(t).local_errors;
}

#endif
