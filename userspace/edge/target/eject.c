// SPDX-License-Identifier: MIT
/* Throwing out targets that accept connections and end them before they have said anything. */
#include "edge/target/eject.h"

#include <stdlib.h>

#include "edge/target/choose.h"
#include "lib/base/clock.h"

/* Whether the strike that has just come is the last of as many as @e asks for, within its window. */
static bool is_out(struct strikes *k, const struct rule_eject *e, uint64_t now)
{
	if (k->room != e->resets) {
		free(k->at);
		k->at = calloc(e->resets, sizeof(*k->at));
		k->room = k->at ? e->resets : 0;
		k->n = k->next = 0;
	}
	if (!k->room)
		return false;
	k->at[k->next] = now;
	k->next = (k->next + 1) % k->room;
	if (k->n < k->room)
		k->n++;
	/* A full ring has the oldest one where the next will be. */
	return k->n == k->room && now - k->at[k->next] <= e->window_secs * NS_PER_SEC;
}

void eject_strike(const struct service *s, struct target *t)
{
	const struct rule_eject *e = &s->rule->eject;

	/* One at a time for the rule, so that no two targets are each other's last resort. */
	pthread_mutex_lock(&s->totals->ejecting);
	if (is_out(&t->strikes, e, clock_mono_ns()) && service_has_other(s, t)) {
		t->strikes.n = t->strikes.next = 0;
		target_eject(t, e->for_secs);
	}
	pthread_mutex_unlock(&s->totals->ejecting);
}
