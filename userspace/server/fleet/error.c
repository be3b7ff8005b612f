// SPDX-License-Identifier: MIT
/* Filling in a refusal. */
#include "server/fleet/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "server/store/store.h"

void fleet_error_set(struct fleet_error *err, int status, const char *code, const char *fmt, ...)
{
	va_list ap;

	memset(err, 0, sizeof(*err));
	err->e.status = status;
	snprintf(err->e.code, sizeof(err->e.code), "%s", code);
	va_start(ap, fmt);
	utf8_vformat(err->e.message, sizeof(err->e.message), fmt, ap);
	va_end(ap);
}

void fleet_error_store(struct fleet_error *err, int errnum)
{
	const char *code;
	int status = store_status(errnum, &code);

	fleet_error_set(err, status, code, "%s: %s", code, store_advice(errnum));
}
