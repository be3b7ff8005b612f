// SPDX-License-Identifier: MIT
/* Text and graphs at places of the screen, cut to the room that there is. */
#include "view/pen.h"

#include <curses.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "lib/base/utf8.h"

#define STEPS 8 /* of a bar in one row */

void pen_begin(void)
{
	static const short colours[PEN_COLOURS] = {-1, COLOR_GREEN, COLOR_YELLOW, COLOR_RED, -1};

	if (!has_colors())
		return;
	start_color();
	use_default_colors();
	for (short i = PEN_GOOD; i < PEN_DIM; i++)
		init_pair(i, colours[i], -1);
}

void pen_colour(enum pen_colour colour)
{
	if (colour == PEN_PLAIN)
		attrset(A_NORMAL);
	else if (colour == PEN_DIM)
		attrset(A_DIM);
	else if (has_colors())
		attrset(COLOR_PAIR(colour));
	else
		attrset(colour == PEN_BAD ? A_BOLD : A_NORMAL);
}

/* The bytes of @text that fill at most @width columns, which are counted in @used. */
static size_t fit(const char *text, int width, int *used)
{
	const char *s = text;
	mbstate_t state = {0};

	*used = 0;
	while (*s) {
		wchar_t c;
		size_t n = mbrtowc(&c, s, strlen(s), &state);
		int columns;

		if (n == (size_t)-1 || n == (size_t)-2)
			break;
		columns = wcwidth(c);
		if (columns < 0)
			columns = 1;
		if (*used + columns > width)
			break;
		*used += columns;
		s += n;
	}
	return (size_t)(s - text);
}

void pen_text(int y, int x, int width, bool right, const char *text)
{
	int rows, columns, used;
	size_t n;

	getmaxyx(stdscr, rows, columns);
	if (x + width > columns)
		width = columns - x;
	if (y >= rows || width <= 0)
		return;
	n = fit(text, width, &used);
	mvaddnstr(y, right ? x + width - used : x, text, (int)n);
}

void pen_format(int y, int x, int width, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	utf8_vformat(text, sizeof(text), fmt, args);
	va_end(args);
	pen_text(y, x, width, false, text);
}

/* One row of a bar that is @eighths high in it. */
static const char *block(int eighths)
{
	static const char *const blocks[STEPS + 1] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

	if (MB_CUR_MAX == 1)
		return eighths > STEPS / 2 ? "#" : " ";
	return blocks[eighths];
}

void pen_graph(int y, int x, int width, int height, const double *values, unsigned n)
{
	double most = 0;

	for (unsigned i = 0; i < n; i++)
		most = values[i] > most ? values[i] : most;
	for (int column = 0; column < width && column < (int)n; column++) {
		int full = most > 0 ? (int)(values[column] / most * height * STEPS + 0.5) : 0;

		for (int row = 0; row < height; row++) {
			int here = full - (height - 1 - row) * STEPS;

			here = here < 0 ? 0 : here > STEPS ? STEPS : here;
			pen_text(y + row, x + width - 1 - column, 1, false, block(here));
		}
	}
}

void pen_bar(int y, int x, int width, double share)
{
	int full = (int)(share * width + 0.5);

	for (int i = 0; i < width; i++)
		pen_text(y, x + i, 1, false, i < full ? block(STEPS) : MB_CUR_MAX == 1 ? "-" : "░");
}
