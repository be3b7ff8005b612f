/* SPDX-License-Identifier: MIT */
/* The terminal view drawn: what is on the screen for a state. */
#ifndef PORTUNUS_VIEW_DRAW_H
#define PORTUNUS_VIEW_DRAW_H

struct view_state;

/* After curses has begun: the colours. */
void draw_begin(void);
/* All of the screen. */
void draw(const struct view_state *s);

#endif
