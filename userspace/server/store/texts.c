// SPDX-License-Identifier: MIT
/* Copies of the texts that a row points to. */
#include "server/store/texts.h"

#include <string.h>

#include "lib/base/utf8.h"

static size_t room_of(const char *text)
{
	return text ? strnlen(text, STORE_TEXT_MAX) + 1 : 0;
}

size_t texts_size(const void *row, const size_t *at, size_t n)
{
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		size += room_of(*(const char *const *)((const char *)row + at[i]));
	return size;
}

void texts_keep(void *row, const size_t *at, size_t n, char *to)
{
	for (size_t i = 0; i < n; i++) {
		const char **text = (const char **)((char *)row + at[i]);
		size_t room = room_of(*text);

		if (!room)
			continue;
		utf8_copy(to, room, *text, strlen(*text));
		*text = to;
		to += room;
	}
}
