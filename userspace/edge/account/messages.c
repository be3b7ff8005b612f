// SPDX-License-Identifier: MIT
/* What libbpf says, in our log and one level lower. */
#include "edge/account/messages.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"

/* Whether one of libbpf's warnings matters is for whoever loads to say: most are of a variant that this
 * kernel does not take, before one that it does. */
__attribute__((format(printf, 2, 0))) static int print_libbpf(enum libbpf_print_level level,
							      const char *format, va_list args)
{
	static const enum log_level ours[] = {LOG_DEBUG, LOG_DEBUG, LOG_TRACE};
	enum log_level l = ours[level <= LIBBPF_DEBUG ? level : LIBBPF_DEBUG];
	char text[2048];

	if (!log_enabled(l))
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_event(l, "accounting.libbpf", LOGF_STR("message", text));
	return 0;
}

void account_take_libbpf_messages(void)
{
	libbpf_set_print(print_libbpf);
}
