/* SPDX-License-Identifier: MIT */
/* Readiness, reloads and signs of life for systemd. */
#ifndef PORTUNUS_LIB_BASE_NOTIFY_H
#define PORTUNUS_LIB_BASE_NOTIFY_H

#include <stdint.h>

/* What a service manager is told (sd_notify(3)). Nothing happens where none listens. */

/* It serves; after notify_reloading(): what was asked for is done. @status: a line for people. */
void notify_ready(const char *status);
void notify_reloading(void);
void notify_stopping(const char *status);

/* How often notify_alive() is due, in microseconds; 0: never. */
uint64_t notify_alive_every_us(void);
/* The main loop turns. */
void notify_alive(void);

#endif
