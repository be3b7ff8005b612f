/* SPDX-License-Identifier: MIT */
/* Text and graphs at places of the screen, cut to the room that there is. */
#ifndef PORTUNUS_VIEW_PEN_H
#define PORTUNUS_VIEW_PEN_H

#include <stdbool.h>
#include <stddef.h>

enum pen_colour { PEN_PLAIN, PEN_GOOD, PEN_FAIR, PEN_BAD, PEN_DIM, PEN_COLOURS };

void pen_begin(void);
void pen_colour(enum pen_colour colour);

/* Writes text into @width columns from (@y, @x) on, @right against their end; what does not fit is cut. */
void pen_text(int y, int x, int width, bool right, const char *text);
void pen_format(int y, int x, int width, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Values as bars upwards, the newest (the first) at the right; the highest fills @height rows. */
void pen_graph(int y, int x, int width, int height, const double *values, unsigned n);
/* A bar of which @share (0 to 1) is full. */
void pen_bar(int y, int x, int width, double share);

#endif
