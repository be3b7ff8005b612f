// SPDX-License-Identifier: MIT
/* Refuses a caller: counts it, says it in the log, answers. */
#include "api/call/deny.h"

#include <stdio.h>
#include <string.h>

#include "api/call/call.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/utf8.h"

#define PATH_SHOWN 256

static void count(struct api *api, const char *code)
{
	for (size_t i = 0; i < DENY_CODES_MAX; i++) {
		if (!api->denied[i].code[0])
			snprintf(api->denied[i].code, sizeof(api->denied[i].code), "%s", code);
		if (!strcmp(api->denied[i].code, code)) {
			api->denied[i].n++;
			return;
		}
	}
}

static void say(struct call *c, const char *code)
{
	char path[PATH_SHOWN + 1];
	bool stranger = !c->who.name[0];
	uint64_t left_out = 0;

	if (stranger && !log_budget_take(&c->api->strangers, clock_mono_ns(), &left_out))
		return;
	utf8_copy(path, sizeof(path), c->path, strlen(c->path));
	log_event(LOG_WARN, "operator.denied", LOGF_STR("actor", c->who.name),
		  LOGF_STR("path", path), LOGF_STR("reason", code),
		  LOGF_STR("remote_addr", c->remote), LOGF_UINT("left_out", left_out));
}

void deny(struct call *c, int status, const char *code, const char *fmt, ...)
{
	char message[384];
	va_list ap;

	va_start(ap, fmt);
	utf8_vformat(message, sizeof(message), fmt, ap);
	va_end(ap);
	count(c->api, code);
	say(c, code);
	if (status == 401)
		call_add_header(c, "WWW-Authenticate", "Bearer");
	if (c->link && c->transport->judged && !c->who.name[0])
		c->transport->judged(c->link, false);
	call_error(c, status, code, "%s", message);
}
