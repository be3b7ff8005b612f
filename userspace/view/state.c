// SPDX-License-Identifier: MIT
/* What the user has chosen to see: tab, row, order, filter. */
#include "view/state.h"

#include <stdlib.h>
#include <string.h>

const char *const view_sort_names[SORTS] = {"file",  "name",	    "in/s",  "out/s",
					    "total", "connections", "errors"};

/* What one rule is sorted by; numbers come with the highest first. */
static double sort_value(const struct view_rule *r, enum view_sort sort)
{
	switch (sort) {
	case SORT_IN:
		return r->in_per_s;
	case SORT_OUT:
		return r->out_per_s;
	case SORT_TOTAL:
		return (double)(r->now.in - r->base.in) + (double)(r->now.out - r->base.out);
	case SORT_OPEN:
		return (double)(r->udp ? r->now.flows : r->now.conns_active);
	case SORT_ERRORS:
		return (double)view_errors(r);
	default:
		return 0;
	}
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct view_state *s = arg;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;
	const struct view_rule *x = &s->model.rules[i], *y = &s->model.rules[k];
	double u = sort_value(x, s->sort), v = sort_value(y, s->sort);
	int rc = s->sort == SORT_NAME ? strcmp(x->name, y->name) : (u < v) - (u > v);

	if (!rc)
		rc = (i > k) - (i < k);
	return s->reverse ? -rc : rc;
}

static bool matches(const struct view_rule *r, const char *filter)
{
	bool found = strcasestr(r->name, filter) || strstr(r->listen, filter);

	for (unsigned i = 0; i < r->n_targets && !found; i++)
		found = strcasestr(r->target[i].name, filter);
	return found;
}

void view_arrange(struct view_state *s)
{
	const size_t chosen = s->row < s->n ? s->order[s->row] : 0;
	size_t *order = calloc(s->model.n ? s->model.n : 1, sizeof(*order));

	free(s->order);
	s->order = order;
	s->n = 0;
	for (size_t i = 0; order && i < s->model.n; i++)
		if (matches(&s->model.rules[i], s->filter))
			order[s->n++] = i;
	if (s->n)
		qsort_r(order, s->n, sizeof(*order), compare, s);
	for (size_t i = 0; i < s->n; i++)
		if (order[i] == chosen)
			s->row = i;
	if (s->row >= s->n)
		s->row = s->n ? s->n - 1 : 0;
}

const struct view_rule *view_chosen(const struct view_state *s)
{
	return s->row < s->n ? &s->model.rules[s->order[s->row]] : NULL;
}

bool view_do(struct view_state *s, enum view_key key)
{
	switch (key) {
	case VIEW_KEY_QUIT:
		return false;
	case VIEW_KEY_HELP:
		s->help = !s->help;
		break;
	case VIEW_KEY_ESCAPE:
		s->help = false;
		break;
	case VIEW_KEY_NEXT_TAB:
		s->tab = (s->tab + 1) % TABS;
		break;
	case VIEW_KEY_PREVIOUS_TAB:
		s->tab = (s->tab + TABS - 1) % TABS;
		break;
	case VIEW_KEY_UP:
		s->row -= s->row > 0;
		break;
	case VIEW_KEY_DOWN:
		s->row += s->row + 1 < s->n;
		break;
	case VIEW_KEY_ENTER:
		s->tab = TAB_DETAIL;
		break;
	case VIEW_KEY_PAUSE:
		s->paused = !s->paused;
		break;
	case VIEW_KEY_BASE:
		view_set_base(&s->model);
		break;
	case VIEW_KEY_SORT:
		s->sort = (s->sort + 1) % SORTS;
		break;
	case VIEW_KEY_REVERSE:
		s->reverse = !s->reverse;
		break;
	case VIEW_KEY_FILTER:
		s->typing = true;
		s->filter[0] = '\0';
		break;
	case VIEW_KEY_NONE:
		break;
	}
	return true;
}

void view_type(struct view_state *s, int c)
{
	size_t len = strlen(s->filter);

	if (c == 127 && len)
		s->filter[len - 1] = '\0';
	else if (c >= ' ' && c < 127 && len + 1 < sizeof(s->filter)) {
		s->filter[len] = (char)c;
		s->filter[len + 1] = '\0';
	}
}

void view_state_clear(struct view_state *s)
{
	view_model_clear(&s->model);
	free(s->order);
	*s = (struct view_state){0};
}
