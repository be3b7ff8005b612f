/* SPDX-License-Identifier: MIT */
/* Texts of any content as JSON. */
#ifndef PORTUNUS_API_CALL_JSON_H
#define PORTUNUS_API_CALL_JSON_H

#include <jansson.h>

/*
 * A JSON string of any text: '?' stands for each byte that is not UTF-8, null for NULL. What an edge,
 * a request or an old store holds is put into answers by this alone, since jansson refuses bad text
 * and the whole answer with it. NULL for memory.
 */
json_t *json_text(const char *text);
/* As json_text(), and null for "". */
json_t *json_text_or_null(const char *text);

#endif
