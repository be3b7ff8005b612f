// SPDX-License-Identifier: MIT
/* portunus-client: from the command line to a running edge. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/verbs.h"
#include "edge/control/enroll.h"
#include "edge/program.h"
#include "edge/role.h"
#include "edge/serve.h"
#include "lib/base/log.h"
#include "lib/base/process.h"

/* Whose rules to serve, before anything is touched. Returns -1 to go on, or the exit status. */
static int find_rules(struct program *p)
{
	if (p->options.rules)
		return rulefile_read(p->options.rules, &p->file) < 0 ? 2 : -1;
	return enroll_find_bundle(p->options.bundle, &p->bundle, p->bundle_path) < 0 ? 1 : -1;
}

static int check_rules(const char *path)
{
	struct rulefile f;

	if (rulefile_read(path, &f) < 0)
		return 2;
	rulefile_free(&f);
	printf("ok\n");
	return 0;
}

int main(int argc, char **argv)
{
	const struct verb *verb;
	struct program *p;
	int status;

	process_begin();
	log_init("portunus_client", getenv("RUST_LOG"));
	verb = argc > 1 ? verb_find(argv[1]) : NULL;
	if (verb) {
		process_take_signals();
		return verb_run(verb, argc - 1, argv + 1);
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return 1;
	status = options_parse(argc, argv, &p->options);
	if (status < 0)
		status = p->options.check ? check_rules(p->options.rules)
					  : edge_serve(p, &(struct edge_role){
								  .name = "portunus-client",
								  .find_rules = find_rules,
								  .source = rulefile_json,
							  });
	rulefile_free(&p->file);
	free(p);
	log_stop();
	return status;
}
