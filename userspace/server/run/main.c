// SPDX-License-Identifier: MIT
/* portunus-server: where the command line meets what it starts. */
#include <stdbool.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/base/process.h"
#include "server/run/direct.h"
#include "server/run/serve.h"
#include "server/run/upkeep.h"
#include "server/store/store.h"

int main(int argc, char **argv)
{
	static const struct cli_host host = {.serve = serve,
					     .direct = direct,
					     .find = store_read_holder,
					     .init = init_store,
					     .backup = backup,
					     .restore = restore,
					     .reset = reset,
					     .audit_prune = audit_prune};
	bool serves = false;

	process_begin();
	/* Verbs end by signals as any program does. Options may come before the verb. */
	for (int i = 1; i < argc; i++)
		serves |= !strcmp(argv[i], "serve");
	if (!serves)
		process_take_signals();
	return cli_main(argc, argv, &host);
}
