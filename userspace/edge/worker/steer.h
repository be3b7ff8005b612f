/* SPDX-License-Identifier: MIT */
/* Ranges of TCP ports that one listening socket serves: loads and attaches the program that does it. */
#ifndef PORTUNUS_EDGE_WORKER_STEER_H
#define PORTUNUS_EDGE_WORKER_STEER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/rule/span.h"

struct rule;
struct steer;

/*
 * A program of the process's own network namespace, there only while a rule needs it: its attachment
 * is held by a descriptor and goes with the process. Main thread, all of it. NULL for memory.
 */
struct steer *steer_new(void);
void steer_free(struct steer *s);

/*
 * A place for a rule, whose listening socket is @fd (of a group any one): from now on steer_ports() has
 * ports lead to it. Attaches the program with the first rule. Returns the place, or -errno: then
 * steer_reason() says why, and each port needs a socket of its own.
 */
int steer_take(struct steer *s, const struct rule *rule, int fd);
/* Another socket in the place. 0 or -errno. */
int steer_socket(struct steer *s, int place, int fd);
/* Whether there is room for the place at each of @ports, which a few rules at most can share. */
bool steer_fits(const struct steer *s, int place, struct span ports);
/* Ports, which fit, lead to the place's socket, or do so no longer; @anchor, which the socket is bound
 * to, needs nothing. */
void steer_ports(struct steer *s, int place, struct span ports, uint16_t anchor);
void steer_clear(struct steer *s, int place, struct span ports);
/* Gives the place back; its ports are cleared. The last one takes the program off. */
void steer_release(struct steer *s, int place);

/* Rules that have a place. */
unsigned steer_rules(const struct steer *s);
/* Why the last steer_take() failed; "" if it did not. */
const char *steer_reason(const struct steer *s);

#endif
