/* SPDX-License-Identifier: MIT */
/* Breaks the lines of help texts. */
#ifndef PORTUNUS_LIB_BASE_WRAP_H
#define PORTUNUS_LIB_BASE_WRAP_H

#include <stdio.h>

#define WRAP_COLUMNS 100

/*
 * Prints ASCII @text in lines of up to WRAP_COLUMNS, broken at blanks; all but the first after @indent
 * blanks, where the first one has begun already.
 */
void wrap_print(FILE *out, const char *text, int indent);

#endif
