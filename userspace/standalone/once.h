/* SPDX-License-Identifier: MIT */
/* The figures of one moment, printed. */
#ifndef PORTUNUS_STANDALONE_ONCE_H
#define PORTUNUS_STANDALONE_ONCE_H

struct json_t;

/* @format is "json", "text" or "table". The status to exit with: 0, or 1 when stdout could not be written. */
int once_print(struct json_t *hello, struct json_t *snapshot, const char *format);

#endif
