// SPDX-License-Identifier: MIT
/* The terminal view: keys, time and figures come in, the screen goes out. */
#include "view/view.h"

#include <curses.h>
#include <locale.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/process.h"
#include "view/draw.h"
#include "view/state.h"

#define STEP_MS 200
#define ESC_MS	25 /* how long the rest of a key's sequence may take */
#define CTRL_C	3
#define ESCAPE	27

/* ---- keys ---- */

static enum view_key key_of(int c)
{
	static const struct {
		int c;
		enum view_key key;
	} keys[] = {
		{'q', VIEW_KEY_QUIT},
		{CTRL_C, VIEW_KEY_QUIT},
		{'?', VIEW_KEY_HELP},
		{ESCAPE, VIEW_KEY_ESCAPE},
		{'\t', VIEW_KEY_NEXT_TAB},
		{'l', VIEW_KEY_NEXT_TAB},
		{KEY_RIGHT, VIEW_KEY_NEXT_TAB},
		{KEY_BTAB, VIEW_KEY_PREVIOUS_TAB},
		{'h', VIEW_KEY_PREVIOUS_TAB},
		{KEY_LEFT, VIEW_KEY_PREVIOUS_TAB},
		{'k', VIEW_KEY_UP},
		{KEY_UP, VIEW_KEY_UP},
		{'j', VIEW_KEY_DOWN},
		{KEY_DOWN, VIEW_KEY_DOWN},
		{'\n', VIEW_KEY_ENTER},
		{'\r', VIEW_KEY_ENTER},
		{KEY_ENTER, VIEW_KEY_ENTER},
		{'p', VIEW_KEY_PAUSE},
		{'c', VIEW_KEY_BASE},
		{'s', VIEW_KEY_SORT},
		{'r', VIEW_KEY_REVERSE},
		{'/', VIEW_KEY_FILTER},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].c == c)
			return keys[i].key;
	return VIEW_KEY_NONE;
}

static void take_text(struct view_state *s, int c)
{
	if (c == '\n' || c == '\r' || c == KEY_ENTER)
		s->typing = false;
	else if (c == ESCAPE) {
		s->typing = false;
		s->filter[0] = '\0';
	} else {
		view_type(s, c == KEY_BACKSPACE || c == '\b' ? 127 : c);
	}
}

/* False: the user has enough. */
static bool take_keys(struct view_state *s)
{
	int c;

	while ((c = getch()) != ERR) {
		if (c == KEY_RESIZE)
			continue;
		if (s->typing && c != CTRL_C)
			take_text(s, c);
		else if (!view_do(s, key_of(c)))
			return false;
	}
	return true;
}

/* ---- the loop ---- */

/* Until there is something to do, or for a step. False: it is the end. */
static bool wait_a_while(const struct view_source *source, int signals)
{
	struct pollfd fds[] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = signals, .events = POLLIN},
		{.fd = source->fd(source->arg), .events = POLLIN},
	};

	/* Interrupted by a change of the window's size: getch() knows. */
	if (poll(fds, 3, STEP_MS) < 0)
		return true;
	return !(fds[1].revents & POLLIN) && !(fds[0].revents & (POLLHUP | POLLERR));
}

static void show(const struct view_source *source, int signals)
{
	struct view_state s = {0};

	do {
		source->step(source->arg, s.paused ? NULL : &s.model);
		view_arrange(&s);
		draw(&s);
	} while (wait_a_while(source, signals) && take_keys(&s));
	view_state_clear(&s);
}

int view_run(const struct view_source *source)
{
	SCREEN *screen;
	int signals;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		fprintf(stderr, "error: this needs a terminal\n");
		return 2;
	}
	if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1)
		setlocale(LC_CTYPE, "C.UTF-8");
	process_hold_signals();
	signals = process_signal_fd();
	screen = signals < 0 ? NULL : newterm(NULL, stdout, stdin);
	if (!screen) {
		fprintf(stderr, "error: no terminal that curses knows (TERM=%s)\n",
			getenv("TERM") ? getenv("TERM") : "");
		return 2;
	}
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, true);
	nodelay(stdscr, true);
	set_escdelay(ESC_MS);
	draw_begin();
	show(source, signals);
	endwin();
	delscreen(screen);
	close(signals);
	return 0;
}
