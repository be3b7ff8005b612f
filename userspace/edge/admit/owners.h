/* SPDX-License-Identifier: MIT */
/* The owners of the rules that are served, and the envelope of each over all of them. */
#ifndef PORTUNUS_EDGE_ADMIT_OWNERS_H
#define PORTUNUS_EDGE_ADMIT_OWNERS_H

#include <stdbool.h>

#include <uthash.h>

#include "edge/admit/envelope.h"

struct owner {
	UT_hash_handle hh;
	struct envelope *caps; /* a reference; without caps where nobody has set any */
	bool capped;	       /* somebody has set some, if only an empty envelope */
	bool unconfirmed; /* the server has not named it in this session; the control channel's */
	char id[];
};

/* All zero but for n_workers: nobody. Main thread, all of it. */
struct owners {
	struct owner *table;
	unsigned n_workers;
};

/* NULL: not known. */
struct owner *owners_find(const struct owners *o, const char *id);

/* The envelope of an owner, made where there is none. NULL: @id is NULL, or no memory. */
struct envelope *owners_envelope(struct owners *o, const char *id);

/*
 * Puts caps in force for all rules of an owner, those to come too; NULL: takes them away. Returns 1 if
 * that changed what holds, 0, or -ENOMEM.
 */
int owners_set(struct owners *o, const char *id, const struct rate_limit *limit, uint64_t now_ns);

/* Calls @visit for each; it leaves the set as it is. */
void owners_each(const struct owners *o, void (*visit)(struct owner *owner, void *arg), void *arg);

/* Forgets those that have neither caps nor a rule or connection any more. */
void owners_tidy(struct owners *o);
void owners_close(struct owners *o);

#endif
