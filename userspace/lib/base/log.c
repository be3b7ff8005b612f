// SPDX-License-Identifier: MIT
/* Events as JSON lines on stderr, in the layout that the operators' log pipelines already parse. */
#include "lib/base/log.h"
#include "lib/base/log_ring.h"
#include "lib/base/utf8.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Room for the closing of a line is kept back, so that a cut line is still a JSON object. */
#define LINE_MAX_BYTES 4096
#define TAIL_BYTES     128
#define STOP_MS	       1000

static const char *const level_names[] = {"ERROR", "WARN", "INFO", "DEBUG", "TRACE"};
static atomic_int log_threshold = LOG_INFO;
static const char *log_target = "portunus";
static bool log_pretty;

struct line {
	char *buf; /* of LINE_MAX_BYTES */
	size_t len;
	bool full;
};

static void put(struct line *l, const char *s, size_t n)
{
	if (l->len + n > LINE_MAX_BYTES - TAIL_BYTES) {
		l->full = true;
		return;
	}
	memcpy(l->buf + l->len, s, n);
	l->len += n;
}

static void put_string(struct line *l, const char *s)
{
	if (!s) {
		put(l, "null", 4);
		return;
	}
	put(l, "\"", 1);
	for (const char *p = s, *end = s + strlen(s); p < end && !l->full;) {
		size_t n = utf8_len(p, (size_t)(end - p));
		char esc[8];

		if (n == 0) {
			put(l, "\xef\xbf\xbd", 3);
			p++;
			continue;
		}
		if (n == 1 && (*p == '"' || *p == '\\')) {
			snprintf(esc, sizeof(esc), "\\%c", *p);
			put(l, esc, 2);
		} else if (n == 1 && ((unsigned char)*p < 0x20 || *p == 0x7f)) {
			snprintf(esc, sizeof(esc), "\\u%04x", (unsigned int)*p);
			put(l, esc, 6);
		} else {
			put(l, p, n);
		}
		p += n;
	}
	put(l, "\"", 1);
}

static void put_field(struct line *l, const struct log_field *f)
{
	char number[32];

	put(l, log_pretty ? " " : ",", 1);
	if (log_pretty)
		put(l, f->key, strlen(f->key));
	else
		put_string(l, f->key);
	put(l, log_pretty ? "=" : ":", 1);
	switch (f->type) {
	case LOGF_STRING:
		put_string(l, f->string);
		return;
	case LOGF_BOOL:
		put(l, f->b ? "true" : "false", f->b ? 4 : 5);
		return;
	case LOGF_SIGNED:
		snprintf(number, sizeof(number), "%lld", (long long)f->i);
		break;
	case LOGF_UNSIGNED:
		snprintf(number, sizeof(number), "%llu", (unsigned long long)f->u);
		break;
	}
	put(l, number, strlen(number));
}

static int level_of(const char *s, size_t n)
{
	for (int i = 0; i <= LOG_TRACE; i++)
		if (strlen(level_names[i]) == n && !strncasecmp(level_names[i], s, n))
			return i;
	return n == 3 && !strncasecmp(s, "off", 3) ? -1 : -2;
}

void log_set_filter(const char *filter)
{
	int threshold = LOG_INFO;

	while (filter && *filter) {
		size_t n = strcspn(filter, ",");
		int level = level_of(filter, n);

		if (level != -2)
			threshold = level;
		filter += n;
		filter += *filter == ',';
	}
	atomic_store_explicit(&log_threshold, threshold, memory_order_relaxed);
}

void log_init(const char *target, const char *filter)
{
	log_target = target;
	log_set_filter(filter);
}

void log_set_pretty(void)
{
	log_pretty = true;
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&log_threshold, memory_order_relaxed);
}

static size_t format(char buf[LINE_MAX_BYTES], enum log_level level, const char *event,
		     const struct log_field *fields, size_t n)
{
	struct line l = {.buf = buf, .len = 0};
	struct timespec now;
	struct tm tm;
	char stamp[40];
	size_t w;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	w = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(stamp + w, sizeof(stamp) - w, ".%06ldZ", now.tv_nsec / 1000);

	l.len = (size_t)snprintf(
		l.buf, LINE_MAX_BYTES,
		log_pretty ? "%s %5s "
			   : "{\"timestamp\":\"%s\",\"level\":\"%s\",\"fields\":{\"event\":",
		stamp, level_names[level]);
	if (log_pretty)
		put(&l, event, strlen(event));
	else
		put_string(&l, event);
	for (size_t i = 0; i < n; i++) {
		size_t before = l.len;

		put_field(&l, &fields[i]);
		if (l.full) {
			l.len = before;
			l.full = false;
		}
	}
	if (log_pretty) {
		l.buf[l.len] = '\n';
		return l.len + 1;
	}
	return l.len + (size_t)snprintf(l.buf + l.len, LINE_MAX_BYTES - l.len,
					"},\"target\":\"%.64s\"}\n", log_target);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
	char line[LINE_MAX_BYTES];

	log_ring_put(line, format(line, level, event, fields, n));
}

static size_t say_dropped(char *line, size_t size, uint64_t dropped)
{
	const struct log_field fields[] = {
		LOGF_UINT("lines", dropped),
		LOGF_STR("hint", "whoever reads stderr was too slow; these lines are lost"),
	};

	return format(line, LOG_WARN, "log.dropped", fields, 2);
}

int log_start(void)
{
	return log_ring_start(say_dropped);
}

void log_stop(void)
{
	log_ring_stop(STOP_MS);
}

uint64_t log_dropped(void)
{
	return log_ring_dropped();
}
