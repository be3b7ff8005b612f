/* SPDX-License-Identifier: MIT */
/* Versions of a rule as they are served. */
#ifndef PORTUNUS_EDGE_TARGET_SERVICE_H
#define PORTUNUS_EDGE_TARGET_SERVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "edge/admit/admit.h"
#include "edge/target/target.h"
#include "lib/rule/rule.h"

struct access_list;
struct account;
struct source;

/* One version of a rule, as served. Never changed once workers know it; counted references. */
struct service {
	atomic_uint refs;
	struct rule *rule;
	struct rule_totals *totals;
	/* References; the rule's is the same for all its versions. */
	struct admission admission;
	struct target *target[RULE_TARGETS_MAX]; /* by row */
	uint8_t order[RULE_TARGETS_MAX];	 /* rows by preference */
	uint8_t place[RULE_TARGETS_MAX];	 /* by row: where in order[] */
	/* Rows that share connections are a level: equal priorities, and with balance "order" each row by
	 * itself. Of level i the places in order[] below level_end[i] that are not of one before. */
	uint8_t level_end[RULE_TARGETS_MAX];
	uint8_t n_levels;
	uint8_t n;
	bool monitored;		       /* more than one target */
	struct access_list *access;    /* NULL: everybody may come */
	struct access_list *balancers; /* whose headers are believed; NULL: none are read */
	struct source *source;	       /* NULL: the kernel chooses where connections go out from */
};

/*
 * Makes the next version of a rule: takes over the targets of @old (may be NULL) that keep their
 * host:port, with their health, counters and slot, and gets slots for new ones. @rule is copied.
 * NULL for memory. Main thread.
 */
struct service *service_new(const struct rule *rule, struct service *old, struct account *account,
			    const struct target_watch *watch);
/* Whose rule it is: the owner's envelope, to which @s gets a reference. NULL: nobody's. Before its first
 * use. */
void service_set_owner(struct service *s, struct envelope *owner);
/* Makes it the one in force in place of @old (may be NULL): from now on its targets are watched, or not,
 * and its connections capped as it says, and with manual failback who took connections goes on to.
 * Returns whether caps have changed. Main thread. */
bool service_in_force(struct service *s, const struct service *old);

static inline struct service *service_ref(struct service *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}
void service_unref(struct service *s);

#endif
