// SPDX-License-Identifier: MIT
/* A time of RFC 3339 in a request. */
#include "api/call/decode_time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

bool decode_time(const char *text, uint64_t *unix_ms)
{
	struct tm tm = {.tm_isdst = 0};
	const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	unsigned ms = 0, weight = 100, hours, minutes;
	long offset = 0;
	int end = 0, day;
	time_t secs;

	if (!p)
		return false;
	if (*p == '.') {
		if (p[1] < '0' || p[1] > '9')
			return false;
		for (p++; *p >= '0' && *p <= '9'; p++, weight /= 10)
			ms += (unsigned)(*p - '0') * weight;
	}
	/* In a query a '+' that was not encoded arrives as a blank. */
	if (!strcmp(p, "Z") || !strcmp(p, "z"))
		;
	else if (strchr("+- ", *p) && *p &&
		 sscanf(p + 1, "%2u:%2u%n", &hours, &minutes, &end) == 2 && end == 5 && !p[6] &&
		 hours < 24 && minutes < 60)
		offset = (*p == '-' ? -1 : 1) * (long)(hours * 3600 + minutes * 60);
	else
		return false;
	day = tm.tm_mday;
	secs = timegm(&tm) - offset;
	/* The 31st of a month of 30 days has become the 1st of the next. */
	if (tm.tm_mday != day || secs < 0)
		return false;
	*unix_ms = (uint64_t)secs * 1000 + ms;
	return true;
}
