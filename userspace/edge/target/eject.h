/* SPDX-License-Identifier: MIT */
/* Throwing out targets that accept connections and end them before they have said anything. */
#ifndef PORTUNUS_EDGE_TARGET_EJECT_H
#define PORTUNUS_EDGE_TARGET_EJECT_H

#include "edge/target/service.h"

/*
 * @t has taken a connection that came by @s, and ended it without a byte. So many of these within the
 * window that the rule's `eject` gives, and the target is Failed; but never the last one that works of
 * those that share connections (with balance "order": of the rule). Any thread.
 */
void eject_strike(const struct service *s, struct target *t);

#endif
