/* SPDX-License-Identifier: MIT */
/* What verbs do on the data directory itself: copies, the way back, pruning. Of struct cli_host. */
#ifndef PORTUNUS_SERVER_RUN_UPKEEP_H
#define PORTUNUS_SERVER_RUN_UPKEEP_H

#include "cli/host.h"

int backup(const struct cli_backup *what, char *path, char *why, size_t why_size);
int restore(const struct cli_restore *what, struct cli_restored *out);
int reset(const char *data_dir, bool dry, cli_name each, void *arg, char *why, size_t why_size);
int audit_prune(const char *data_dir, const char *before, bool dry, unsigned long long *n,
		char *why, size_t why_size);

#endif
