// SPDX-License-Identifier: MIT
/* portunus-standalone: forwards by the rules of one TOML file; with the verb stats it shows what one does. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/process.h"
#include "lib/rule/rule.h"
#include "standalone/bind.h"
#include "standalone/config.h"
#include "standalone/options.h"
#include "standalone/problems.h"
#include "standalone/service.h"
#include "standalone/stats.h"

static int flushed(void)
{
	if (!fflush(stdout))
		return 0;
	perror("error: stdout");
	return 1;
}

/* As a rules file, for portunus-client --rules or a server. */
static int print_rules(const struct config *c)
{
	json_t *all = json_array();
	int rc = 0;

	for (size_t i = 0; i < c->n && !rc; i++)
		rc = json_array_append_new(all, rule_to_json(c->rules[i]));
	if (!rc)
		rc = json_dumpf(all, stdout, JSON_INDENT(2));
	json_decref(all);
	if (rc) {
		fprintf(stderr, "error: out of memory\n");
		return 1;
	}
	putchar('\n');
	return flushed();
}

static int check(const struct standalone_options *o, const struct config *c)
{
	if (o->bind && bind_try(c))
		return 1;
	printf("ok\n");
	return flushed();
}

static void start_log(const struct standalone_options *o, const struct config *c)
{
	const char *format = o->log_format ? o->log_format : c->settings.log_format;

	service_set_filter(o, c);
	if (format && !strcmp(format, "pretty"))
		log_set_pretty();
}

int main(int argc, char **argv)
{
	struct standalone_options o;
	struct problems problems = {0};
	struct config *config;
	int status;

	process_begin();
	log_init("portunus_standalone", "warn");
	if (argc > 1 && !strcmp(argv[1], "stats")) {
		process_take_signals();
		return stats_run(argc - 1, argv + 1);
	}
	status = standalone_options_parse(argc, argv, &o);
	if (status >= 0)
		return status;
	config = standalone_read_config(o.config, &problems);
	problems_print(&problems, o.config);
	if (!config)
		return 2;
	if (o.check || o.print_rules) {
		status = o.check ? check(&o, config) : print_rules(config);
		standalone_free_config(config);
		return status;
	}
	start_log(&o, config);
	return service_run(&o, config);
}
