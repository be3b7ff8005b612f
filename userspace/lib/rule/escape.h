/* SPDX-License-Identifier: MIT */
/* Bytes as text: what a health check sends and expects. */
#ifndef PORTUNUS_LIB_RULE_ESCAPE_H
#define PORTUNUS_LIB_RULE_ESCAPE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Turns @text with the escapes \r \n \t \0 \\ and \xNN (two hex digits) into bytes; every other
 * character stands for itself. Writes up to @size of them. Returns how many there are, or -EINVAL for a
 * backslash before anything else, -E2BIG when they do not fit.
 */
ssize_t rule_unescape(const char *text, uint8_t *out, size_t size);

#endif
