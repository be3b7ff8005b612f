/* SPDX-License-Identifier: MIT */
/* The table of rules: an array by id, so that finding, walking and taking out need no memory. */
#ifndef PORTUNUS_EDGE_RULES_TABLE_H
#define PORTUNUS_EDGE_RULES_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "edge/admit/owners.h"
#include "edge/loop/mailbox.h"
#include "edge/target/service.h"
#include "edge/worker/endpoint.h"
#include "lib/rule/span.h"

struct account;
struct event;
struct event_base;
struct leaving;
struct nudge;
struct rule;
struct sni_group;
struct steer;
struct worker;

enum rule_status { RULE_ACTIVE, RULE_FAILED };

/* One rule as this edge serves it. Owned by the table; main thread, but for endpoint[]. */
struct rule_state {
	struct rule_table *table;
	uint64_t id;
	struct service *service; /* the version in force */
	enum rule_status status;
	bool unconfirmed; /* the server has not named it in this session; the control channel's */
	char reason
		[48]; /* of RULE_FAILED: port_in_use, permission_denied, bind_failed, …; of a range with ":port" */
	char refused[48];    /* why the last change of its ports did not come about; "": it did */
	struct event *retry; /* of a bind that failed */
	unsigned retry_secs;
	unsigned
		listen_ifindex; /* of listen_interface when the port was opened; 0: none is named */
	uint64_t unassigned_slot; /* for what closed before it had a target */
	/*
	 * Former targets whose bytes the rule's totals still count: the list has those that a
	 * connection here still uses; of the others the account has the records, or without BPF
	 * gone_in and gone_out the written bytes.
	 */
	LIST_HEAD(, target) retired;
	uint64_t gone_in, gone_out;
	/* Of a rule that shares its port with others (sni.c); NULL: its port is its own, as follows. */
	struct sni_group *group;
	TAILQ_ENTRY(rule_state) in_group;
	bool routed;	     /* clients are led to it */
	uint8_t n_listeners; /* of each port, or of .anchor; 0: it does not listen */
	uint8_t worker;	     /* of the only listener, where there is one */
	struct span served;  /* the ports that it listens on */
	int place; /* with the steerer: one port's sockets serve all; -1: each port has its own */
	uint16_t anchor;	    /* that port, or the only one */
	int anchor_fd;		    /* a socket of it, a worker's */
	struct endpoint endpoint[]; /* by worker; each touched by its worker's thread alone */
};

struct rule_table_config {
	struct event_base *base;
	struct account *account;
	struct kernel_relay *kernel; /* may be NULL */
	struct worker *workers;
	unsigned n_workers;
	unsigned fd_limit;
	uint32_t drain_timeout_ms;
	/* A target's health has changed; main thread. */
	void (*health_changed)(void *arg, struct rule_state *rs, struct target *t,
			       enum health_state to);
	/* The set of rules, or the status of one, has changed; @rs is NULL for the former. */
	void (*rules_changed)(void *arg, struct rule_state *rs);
	void *arg;
};

/* The rules that are served, and what serving them needs. Main thread, all of it. */
struct rule_table {
	struct rule_table_config config;
	struct rule_state **all; /* by ascending id */
	size_t n, room;
	struct mailbox mailbox; /* news from the workers */
	struct event *mail;
	struct nudge *nudges; /* to the workers (news.c) */
	struct target_watch watch;
	struct owners owners;
	LIST_HEAD(, sni_group) groups;
	uint64_t groups_made;
	LIST_HEAD(, leaving) leaving; /* removed rules whose connections drain (drain.c) */
	bool closing;
	bool stopped;	     /* listening, for good: no port is opened any more */
	struct steer *steer; /* of ranges */
	bool one_socket; /* a port gets one socket: there are too many rules for one per worker */
	unsigned next_worker;
};

/* NULL: there is none. */
struct rule_state *rule_table_find(const struct rule_table *t, uint64_t rule_id);
size_t rule_table_size(const struct rule_table *t);

/* Calls @visit for every rule, by ascending id. Needs no memory; @visit leaves the set as it is. */
void rule_table_each(struct rule_table *t, void (*visit)(struct rule_state *rs, void *arg),
		     void *arg);

/* Another rule that keeps @rule from listening where it would; NULL: none. Walks the table. */
struct rule_state *rule_table_on_port(const struct rule_table *t, const struct rule *rule);

/* Puts @rs, whose id is new, in its place. 0 or -ENOMEM. */
int rule_table_add(struct rule_table *t, struct rule_state *rs);
/* Takes @rs out; it stays the caller's. */
void rule_table_take(struct rule_table *t, struct rule_state *rs);

#endif
