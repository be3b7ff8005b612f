/* SPDX-License-Identifier: MIT */
/* The terminal view: three tabs over a model that a source keeps up to date. */
#ifndef PORTUNUS_VIEW_VIEW_H
#define PORTUNUS_VIEW_VIEW_H

struct view_model;

/* Where the model's figures come from. */
struct view_source {
	/* Takes what has come into @m, and connects again where that is due. Never waits for long. */
	void (*step)(void *arg, struct view_model *m);
	/* To be waited for; -1: there is nothing to wait for but time. */
	int (*fd)(void *arg);
	void *arg;
};

/*
 * Shows it until the user has enough or a signal ends it; the terminal is then as it was. Returns the status to exit
 * with: 0, or 2 with what is wrong with the terminal on stderr. The only thread.
 */
int view_run(const struct view_source *source);

#endif
