/* SPDX-License-Identifier: MIT */
/* Work in slices between the loop's other events. */
#ifndef PORTUNUS_API_CALL_SLICES_H
#define PORTUNUS_API_CALL_SLICES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * Long work of the loop's thread, a little at a time and taking turns, so that nobody waits for a list
 * of ten thousand rules. What the work looks at may have changed when its next turn comes.
 */
struct event_base;
struct slices;

#define SLICE_NS 2000000 /* then it is somebody else's turn */

/* Embedded by who has the work. */
struct slice {
	TAILQ_ENTRY(slice) entry;
	/* Works until about @until_ns. True: done, and *s is gone. */
	bool (*step)(struct slice *s, uint64_t until_ns);
	void (*drop)(struct slice *s); /* frees it undone */
};

struct slices *slices_new(struct event_base *base);
/* Drops what is not done. */
void slices_free(struct slices *all);
/* Begins at once; @s may be gone on return. */
void slices_run(struct slices *all, struct slice *s);

#endif
