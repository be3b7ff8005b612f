/* SPDX-License-Identifier: MIT */
/* Text that people read: numbers with units, spans of time. */
#ifndef PORTUNUS_LIB_BASE_TEXT_H
#define PORTUNUS_LIB_BASE_TEXT_H

#include <stdint.h>

#define TEXT_SIZE 32 /* of each @buf; each returns it */

char *text_bytes(uint64_t n, char *buf); /* "0 B", "1.5 KiB", "123 MiB" */
char *text_span(uint64_t ms, char *buf); /* "350 ms", "12 s", "3 min", "2 h", "5 d" */
char *text_since(uint64_t then_ms, uint64_t now_ms, char *buf); /* "12 s ago", "-" for never */
char *text_until(uint64_t then_ms, uint64_t now_ms, char *buf); /* "in 4 s", "-" for never */
char *text_us(uint64_t us, char *buf); /* "85 us", "1.9 ms", "-" for unknown */

#endif
