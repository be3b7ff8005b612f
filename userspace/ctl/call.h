/* SPDX-License-Identifier: MIT */
/* One command line of a verb. */
#ifndef PORTUNUS_CTL_CALL_H
#define PORTUNUS_CTL_CALL_H

#include <stdbool.h>
#include <stdint.h>

/* One command line. Strings point into argv or to static text. */
struct verb_call {
	const char *name; /* of the verb */
	const char *instance;
	const char *run_dir; /* NULL: from the environment */
	char socket[128];
	const char *bpffs;
	const char *uri, *out; /* enroll */
	bool json, per_target, per_port, watch, kill;
	bool has_rule;
	uint64_t rule_id;
	unsigned index;
};

#endif
