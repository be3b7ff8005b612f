// SPDX-License-Identifier: MIT
/* Text that people read: numbers with units, spans of time. */
#include "lib/base/text.h"

#include <stdio.h>
#include <string.h>

char *text_bytes(uint64_t n, char *buf)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)n;
	unsigned u = 0;

	if (n < 1024) {
		snprintf(buf, TEXT_SIZE, "%u B", (unsigned)n);
		return buf;
	}
	/* 1023.5 would be shown as 1024. */
	for (v /= 1024; v >= 1023.5 && u < 5; v /= 1024)
		u++;
	snprintf(buf, TEXT_SIZE, v < 99.95 ? "%.1f %s" : "%.0f %s", v, units[u]);
	return buf;
}

char *text_span(uint64_t ms, char *buf)
{
	static const struct {
		uint64_t from_ms, unit_ms;
		const char *name;
	} spans[] = {
		{2 * 86400000ull, 86400000, "d"},
		{2 * 3600000, 3600000, "h"},
		{2 * 60000, 60000, "min"},
		{1000, 1000, "s"},
		{0, 1, "ms"},
	};
	size_t i = 0;

	while (ms < spans[i].from_ms)
		i++;
	snprintf(buf, TEXT_SIZE, "%llu %s", (unsigned long long)(ms / spans[i].unit_ms),
		 spans[i].name);
	return buf;
}

char *text_since(uint64_t then_ms, uint64_t now_ms, char *buf)
{
	char span[TEXT_SIZE];

	if (!then_ms)
		return strcpy(buf, "-");
	if (then_ms + 1000 > now_ms)
		return strcpy(buf, "now");
	snprintf(buf, TEXT_SIZE, "%.20s ago", text_span(now_ms - then_ms, span));
	return buf;
}

char *text_until(uint64_t then_ms, uint64_t now_ms, char *buf)
{
	char span[TEXT_SIZE];

	if (!then_ms)
		return strcpy(buf, "-");
	if (then_ms <= now_ms)
		return strcpy(buf, "now");
	snprintf(buf, TEXT_SIZE, "in %.20s", text_span(then_ms - now_ms, span));
	return buf;
}

char *text_us(uint64_t us, char *buf)
{
	double ms = (double)us / 1000;

	if (!us)
		return strcpy(buf, "-");
	if (us < 1000)
		snprintf(buf, TEXT_SIZE, "%u us", (unsigned)us);
	else
		snprintf(buf, TEXT_SIZE, ms < 99.95 ? "%.1f ms" : "%.0f ms", ms);
	return buf;
}
