/* SPDX-License-Identifier: MIT */
/* Copies of the texts that a row points to. */
#ifndef PORTUNUS_SERVER_STORE_TEXTS_H
#define PORTUNUS_SERVER_STORE_TEXTS_H

#include <stddef.h>

/* For rows that wait in a queue: their texts may be gone by the time they are written. Any thread. */
#define STORE_TEXT_MAX 256

/* The bytes that copies of a row's texts take. @at has the offsets of its @n members, each a const char *. */
size_t texts_size(const void *row, const size_t *at, size_t n);
/*
 * Copies the texts of @row to @to, which has room for texts_size() bytes, and makes the row point there. Each is cut at a
 * character, at STORE_TEXT_MAX bytes, and is UTF-8; NULL stays NULL.
 */
void texts_keep(void *row, const size_t *at, size_t n, char *to);

#endif
