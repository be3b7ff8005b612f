/* SPDX-License-Identifier: MIT */
/* What the user has chosen to see: tab, row, order, filter. */
#ifndef PORTUNUS_VIEW_STATE_H
#define PORTUNUS_VIEW_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "view/model.h"

enum view_tab { TAB_OVERVIEW, TAB_DETAIL, TAB_ERRORS, TABS };

enum view_sort {
	SORT_FILE,
	SORT_NAME,
	SORT_IN,
	SORT_OUT,
	SORT_TOTAL,
	SORT_OPEN,
	SORT_ERRORS,
	SORTS
};

enum view_key {
	VIEW_KEY_NONE,
	VIEW_KEY_QUIT,
	VIEW_KEY_HELP,
	VIEW_KEY_ESCAPE,
	VIEW_KEY_NEXT_TAB,
	VIEW_KEY_PREVIOUS_TAB,
	VIEW_KEY_UP,
	VIEW_KEY_DOWN,
	VIEW_KEY_ENTER,
	VIEW_KEY_PAUSE,
	VIEW_KEY_BASE,
	VIEW_KEY_SORT,
	VIEW_KEY_REVERSE,
	VIEW_KEY_FILTER,
};

#define VIEW_FILTER_MAX 64

struct view_state {
	struct view_model model;
	enum view_tab tab;
	enum view_sort sort;
	bool reverse, paused, help, typing; /* a filter */
	char filter[VIEW_FILTER_MAX];
	size_t *order; /* of the rules that are shown */
	size_t n, row; /* how many; the chosen one */
};

extern const char *const view_sort_names[SORTS];

/* Puts the rules that match the filter in order, and keeps the chosen one chosen. Without memory none is shown. */
void view_arrange(struct view_state *s);
/* The chosen rule, or NULL. */
const struct view_rule *view_chosen(const struct view_state *s);
/* A key that is no text. False: the user has enough. */
bool view_do(struct view_state *s, enum view_key key);
/* A key while a filter is typed: @c is an ASCII character, 127 takes one away. */
void view_type(struct view_state *s, int c);
void view_state_clear(struct view_state *s);

#endif
