/* SPDX-License-Identifier: MIT */
/* Filling in a refusal. */
#ifndef PORTUNUS_SERVER_FLEET_ERROR_H
#define PORTUNUS_SERVER_FLEET_ERROR_H

#include <stdint.h>

#include "lib/rule/rule.h"

/* A refusal, and what the envelope of some codes has besides; "" where it does not apply. */
struct fleet_error {
	struct rule_error e;
	char client_version[32], required[16];
	uint64_t rule_id; /* the rule that was stored all the same; 0: none */
	uint16_t port;	  /* of several, the one at fault; 0: none */
};

/* Cut at characters: a refusal may quote foreign text. */
void fleet_error_set(struct fleet_error *err, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* What a negative errno of the store means to an operator. */
void fleet_error_store(struct fleet_error *err, int errnum);

#endif
