/* SPDX-License-Identifier: MIT */
/* A time of RFC 3339 in a request. */
#ifndef PORTUNUS_API_CALL_DECODE_TIME_H
#define PORTUNUS_API_CALL_DECODE_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Reads "2026-05-08T10:42:11[.fraction](Z|±hh:mm)". False for anything else. */
bool decode_time(const char *text, uint64_t *unix_ms);

#endif
