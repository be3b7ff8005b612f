// SPDX-License-Identifier: MIT
/* The terminal view drawn: what is on the screen for a state. */
#include "view/draw.h"

#include <curses.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "view/pen.h"
#include "view/state.h"

#define ROWS_MIN    24
#define COLUMNS_MIN 80
#define BODY	    3 /* the row below the tabs and the titles */

static const char *const tab_names[TABS] = {"Overview", "Detail", "Errors"};

static enum pen_colour latency_colour(uint64_t us)
{
	return us < 50000 ? PEN_GOOD : us < 200000 ? PEN_FAIR : PEN_BAD;
}

static char *per_second(double rate, char buf[TEXT_SIZE + 4])
{
	char bytes[TEXT_SIZE];

	snprintf(buf, TEXT_SIZE + 4, "%s/s", text_bytes((uint64_t)rate, bytes));
	return buf;
}

static uint64_t total(const struct view_rule *r)
{
	return r->now.in - r->base.in + (r->now.out - r->base.out);
}

/* ---- the frame ---- */

static void draw_top(const struct view_state *s)
{
	const struct view_model *m = &s->model;
	char up[TEXT_SIZE];
	int x = 0;

	for (int i = 0; i < TABS; i++) {
		attrset((int)s->tab == i ? A_REVERSE : A_NORMAL);
		pen_format(0, x, 12, " %s ", tab_names[i]);
		x += (int)strlen(tab_names[i]) + 3;
	}
	pen_colour(m->connected ? PEN_PLAIN : PEN_BAD);
	if (m->connected)
		pen_format(0, x + 1, COLS - x - 1, "%s%sversion %s, up %s%s",
			   m->label ? m->label : "", m->label && *m->label ? ", " : "",
			   m->version ? m->version : "?", text_span(m->uptime_ms, up),
			   s->paused ? "  PAUSED" : "");
	else
		pen_format(0, x + 1, COLS - x - 1, "not connected: %s", m->trouble);
}

static void draw_bottom(const struct view_state *s)
{
	const struct view_model *m = &s->model;
	char memory[TEXT_SIZE];

	pen_colour(PEN_DIM);
	if (s->typing || s->filter[0])
		pen_format(LINES - 1, 0, COLS, "/%s%s", s->filter, s->typing ? "_" : "");
	else
		pen_format(LINES - 1, 0, COLS,
			   "%zu of %zu rules by %s%s   fds %" PRIu64 "/%" PRIu64
			   "  %s   ? help  q quit",
			   s->n, m->n, view_sort_names[s->sort], s->reverse ? " reversed" : "",
			   m->fd_open, m->fd_limit, text_bytes(m->rss_bytes, memory));
	pen_colour(PEN_PLAIN);
}

/* ---- overview ---- */

static const struct {
	const char *title;
	int x, width; /* a negative place counts from the right end */
	bool right;
} columns[] = {
	{"NAME", 0, 0},		 {"PROTO", -66, 5},
	{"LISTEN", -60, 11},	 {"LATENCY", -48, 8, true},
	{"IN/S", -39, 10, true}, {"OUT/S", -28, 10, true},
	{"TOTAL", -17, 8, true}, {"OPEN", -8, 8, true},
};
#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void cell(int y, unsigned column, const char *text)
{
	int x = columns[column].x < 0 ? COLS + columns[column].x : columns[column].x;
	int width = columns[column].width ? columns[column].width : COLS - 67;

	pen_text(y, x, width, columns[column].right, text);
}

static void cell_name(int y, const struct view_rule *r, bool chosen)
{
	const struct view_target *best = view_best(r);
	char text[400];

	attrset(chosen ? A_REVERSE : A_NORMAL);
	if (chosen)
		pen_format(y, 0, COLS, "%*s", COLS, "");
	/* Where there is room for it the target stands beside the name. */
	if (COLS >= 110 && best)
		snprintf(text, sizeof(text), "%s → %s%s", r->name, best->name,
			 r->n_targets > 1 ? " …" : "");
	else
		snprintf(text, sizeof(text), "%s", r->name);
	cell(y, 0, text);
}

static void draw_row(int y, const struct view_rule *r, bool chosen)
{
	const struct view_target *best = view_best(r);
	char text[TEXT_SIZE + 4], bytes[TEXT_SIZE];

	cell_name(y, r, chosen);
	cell(y, 1, r->udp ? "udp" : "tcp");
	cell(y, 2, r->listen);
	if (r->failed) {
		if (!chosen)
			pen_colour(PEN_BAD);
		cell(y, 3, "FAILED");
	} else if (best && best->srtt_us) {
		if (!chosen)
			pen_colour(latency_colour(best->srtt_us));
		cell(y, 3, text_us(best->srtt_us, bytes));
	} else {
		cell(y, 3, "-");
	}
	if (!chosen)
		pen_colour(PEN_PLAIN);
	cell(y, 4, per_second(r->in_per_s, text));
	cell(y, 5, per_second(r->out_per_s, text));
	cell(y, 6, text_bytes(total(r), bytes));
	snprintf(text, sizeof(text), "%" PRIu64, r->udp ? r->now.flows : r->now.conns_active);
	cell(y, 7, text);
}

/* The first row of @room that shows the chosen one. */
static size_t first_row(const struct view_state *s, int room)
{
	return s->row >= (size_t)room ? s->row - (size_t)room + 1 : 0;
}

static void draw_overview(const struct view_state *s)
{
	int room = LINES - BODY - 1;
	size_t first = first_row(s, room);

	attrset(A_BOLD);
	for (unsigned i = 0; i < N_COLUMNS; i++)
		cell(BODY - 1, i, columns[i].title);
	for (int y = 0; y < room && first + (size_t)y < s->n; y++)
		draw_row(BODY + y, &s->model.rules[s->order[first + (size_t)y]],
			 first + (size_t)y == s->row);
	attrset(A_NORMAL);
}

/* ---- detail ---- */

static void draw_target(int y, const struct view_rule *r, const struct view_target *t,
			uint64_t now_ms)
{
	char in[TEXT_SIZE], out[TEXT_SIZE], us[TEXT_SIZE], since[TEXT_SIZE];
	bool health = t->has_health && r->n_targets > 1;

	pen_format(y, 2, COLS - 60, "%s%s%s", t->name, *t->proxy ? " proxy " : "", t->proxy);
	pen_colour(!health ? PEN_DIM : t->failed ? PEN_BAD : PEN_GOOD);
	if (health)
		pen_format(y, COLS - 57, 24, "%s %s", t->failed ? "Failed" : "Healthy",
			   text_since(t->since_ms, now_ms, since));
	pen_colour(PEN_PLAIN);
	pen_text(y, COLS - 32, 8, true, text_us(t->srtt_us, us));
	pen_text(y, COLS - 23, 9, true, text_bytes(t->in, in));
	pen_text(y, COLS - 13, 9, true, text_bytes(t->out, out));
	if (t->last_errno && t->failed)
		pen_text(y, COLS - 3, 3, true, "!");
}

static void draw_totals(int y, const struct view_rule *r)
{
	char in[TEXT_SIZE], out[TEXT_SIZE];
	const struct view_figures *f = &r->now, *b = &r->base;

	pen_format(y, 0, COLS, "total  in %s  out %s  failovers %" PRIu64,
		   text_bytes(f->in - b->in, in), text_bytes(f->out - b->out, out),
		   f->failovers - b->failovers);
	if (!r->udp) {
		pen_format(y + 1, 0, COLS, "connections  %" PRIu64 " open, %" PRIu64 " in all",
			   f->conns_active, f->conns_total - b->conns_total);
		return;
	}
	pen_format(y + 1, 0, 58,
		   "flows  %" PRIu64 " of %" PRIu64 "   datagrams  in %" PRIu64 "  out %" PRIu64,
		   f->flows, r->max_flows, f->datagrams_in - b->datagrams_in,
		   f->datagrams_out - b->datagrams_out);
	if (r->max_flows)
		pen_bar(y + 1, COLS - 20, 20, (double)f->flows / (double)r->max_flows);
}

static void draw_detail(const struct view_state *s)
{
	const struct view_rule *r = view_chosen(s);
	char rate[TEXT_SIZE + 4];
	int y = BODY - 1, half = COLS / 2, height = LINES >= 30 ? 6 : 4;

	if (!r)
		return;
	attrset(A_BOLD);
	pen_format(y, 0, COLS, "%s   %s %s   id %s%s%s", r->name, r->udp ? "udp" : "tcp", r->listen,
		   r->id, r->failed ? "   does not listen: " : "", r->failed ? r->reason : "");
	attrset(A_NORMAL);
	pen_format(y + 2, 0, half - 1, "in  %s", per_second(r->in_per_s, rate));
	pen_format(y + 2, half, half, "out %s", per_second(r->out_per_s, rate));
	pen_colour(PEN_GOOD);
	pen_graph(y + 3, 0, half - 2 < VIEW_HISTORY ? half - 2 : VIEW_HISTORY, height,
		  r->in_history, r->n_history);
	pen_graph(y + 3, half, half - 2 < VIEW_HISTORY ? half - 2 : VIEW_HISTORY, height,
		  r->out_history, r->n_history);
	pen_colour(PEN_PLAIN);
	y += height + 4;
	draw_totals(y, r);
	attrset(A_BOLD);
	pen_text(y + 3, 2, 20, false, "TARGET");
	pen_text(y + 3, COLS - 57, 20, false, "HEALTH");
	pen_text(y + 3, COLS - 32, 8, true, "RTT");
	pen_text(y + 3, COLS - 23, 9, true, "IN");
	pen_text(y + 3, COLS - 13, 9, true, "OUT");
	attrset(A_NORMAL);
	for (unsigned i = 0; i < r->n_targets && y + 4 + (int)i < LINES - 1; i++)
		draw_target(y + 4 + (int)i, r, &r->target[i], s->model.t_ms);
}

/* ---- errors ---- */

static void draw_errors(const struct view_state *s)
{
	int y = BODY - 1;
	bool any = false;

	for (size_t i = first_row(s, LINES - BODY - 1); i < s->n && y < LINES - 2; i++) {
		const struct view_rule *r = &s->model.rules[s->order[i]];
		int x = 24;

		if (!view_errors(r))
			continue;
		any = true;
		attrset(i == s->row ? A_REVERSE : A_NORMAL);
		pen_text(y, 0, 22, false, r->name);
		attrset(A_NORMAL);
		for (unsigned k = 0; k < VIEW_ERRORS && y < LINES - 2; k++) {
			char text[64];

			if (!r->now.err[k])
				continue;
			snprintf(text, sizeof(text), "%s %" PRIu64, view_error_names[k],
				 r->now.err[k]);
			if (x > 24 && x + (int)strlen(text) > COLS) {
				x = 24;
				y++;
			}
			pen_text(y, x, COLS - x, false, text);
			x += (int)strlen(text) + 3;
		}
		y++;
	}
	if (!any)
		pen_text(y, 0, COLS, false, "no errors");
}

/* ---- all ---- */

static void draw_help(void)
{
	static const char *const lines[] = {
		" Tab, h, l, arrows   other tab            ",
		" j, k, arrows        other rule           ",
		" Enter               the rule in detail   ",
		" s, r                sort by, reversed    ",
		" /                   filter by text       ",
		" c                   totals begin here    ",
		" p                   pause                ",
		" q, Ctrl-C           quit                 ",
		" ?, Esc              close this           ",
	};
	int n = (int)(sizeof(lines) / sizeof(lines[0])), width = (int)strlen(lines[0]);

	attrset(A_REVERSE);
	for (int i = 0; i < n; i++)
		pen_text((LINES - n) / 2 + i, (COLS - width) / 2, width, false, lines[i]);
	attrset(A_NORMAL);
}

void draw_begin(void)
{
	pen_begin();
}

void draw(const struct view_state *s)
{
	static void (*const tabs[TABS])(const struct view_state *s) = {draw_overview, draw_detail,
								       draw_errors};

	erase();
	attrset(A_NORMAL);
	if (LINES < ROWS_MIN || COLS < COLUMNS_MIN) {
		pen_format(0, 0, COLS, "needs %d x %d, has %d x %d", COLUMNS_MIN, ROWS_MIN, COLS,
			   LINES);
	} else {
		draw_top(s);
		tabs[s->tab](s);
		draw_bottom(s);
		if (s->help)
			draw_help();
	}
	refresh();
}
