/* SPDX-License-Identifier: MIT */
/* Events as JSON lines on stderr, in the layout that the operators' log pipelines already parse. */
#ifndef PORTUNUS_LIB_BASE_LOG_H
#define PORTUNUS_LIB_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

/* One key and value of an event. Made with the LOGF_* macros below, never kept. */
struct log_field {
	const char *key;
	enum { LOGF_STRING, LOGF_SIGNED, LOGF_UNSIGNED, LOGF_BOOL } type;
	union {
		const char *string;
		int64_t i;
		uint64_t u;
		bool b;
	};
};

#define LOGF_STR(k, v)	((struct log_field){.key = (k), .type = LOGF_STRING, .string = (v)})
#define LOGF_INT(k, v)	((struct log_field){.key = (k), .type = LOGF_SIGNED, .i = (v)})
#define LOGF_UINT(k, v) ((struct log_field){.key = (k), .type = LOGF_UNSIGNED, .u = (v)})
#define LOGF_FLAG(k, v) ((struct log_field){.key = (k), .type = LOGF_BOOL, .b = (v)})

/*
 * Sets the program's name in each line and the threshold, from a RUST_LOG style filter: the last
 * bare level wins ("info", "portunus=debug,warn"; "off" silences all). NULL or a filter without a
 * level known here means info. Once, before any thread starts. @target is not copied.
 */
void log_init(const char *target, const char *filter);
bool log_enabled(enum log_level level);
/* Another filter than log_init()'s from now on. Any thread. */
void log_set_filter(const char *filter);
/* Lines for people from now on: time, level, event, and key=value for each field. Before any thread starts. */
void log_set_pretty(void);

/*
 * Has a thread of its own write the lines from now on, so that no other thread waits for whoever
 * reads stderr. What does not fit its ring of 4 MiB is dropped, counted, and said once there is room
 * again (event log.dropped). A child of fork() starts anew. 0 or -errno.
 */
int log_start(void);
/* Before the process ends: waits up to a second for what is still to be written. */
void log_stop(void);
/* Lines that were dropped. Any thread. */
uint64_t log_dropped(void);

/*
 * Writes one JSON line to stderr; lines of threads never mix:
 *   {"timestamp":"…Z","level":"INFO","fields":{"event":"…",…},"target":"…"}
 * A string that is not UTF-8 has its bad bytes replaced, a NULL is written as null. Lines are cut
 * at 4 KiB by leaving out whole fields. Any thread.
 */
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n);

/* log_event(LOG_INFO, "rule.activated", LOGF_UINT("rule", id), …) */
#define log_event(level, event, ...)                                                 \
	do {                                                                         \
		if (log_enabled(level)) {                                            \
			const struct log_field log_fields_[] = {{0}, ##__VA_ARGS__}; \
			log_write((level), (event), log_fields_ + 1,                 \
				  sizeof(log_fields_) / sizeof(log_fields_[0]) - 1); \
		}                                                                    \
	} while (0)

#endif
