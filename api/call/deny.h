/* SPDX-License-Identifier: MIT */
/* Refuses a caller: counts it, says it in the log, answers. */
#ifndef PORTUNUS_API_CALL_DENY_H
#define PORTUNUS_API_CALL_DENY_H

#include "api/call/context.h"

/* Refusals of who asks: counted by code, and logged. */
struct call;

/* Answers with a code of the contract. */
void deny(struct call *c, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
