/* SPDX-License-Identifier: MIT */
/* The daemon's options, as data. */
#ifndef PORTUNUS_EDGE_OPTIONS_H
#define PORTUNUS_EDGE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* The daemon's command line. Strings point into argv or to static text. */
struct options {
	const char *rules;	       /* --rules, NULL: a server's */
	const char *bundle;	       /* --bundle, NULL: looked for */
	const char *instance;	       /* --instance, "" for the default one */
	const char *state_dir;	       /* --state-dir */
	const char *run_dir;	       /* --run-dir, NULL: from the environment */
	const char *status_socket;     /* --status-socket, NULL: from the instance */
	const char *metrics_listen;    /* --metrics-listen, NULL: nowhere */
	const char *bpffs;	       /* --bpffs */
	uint32_t workers;	       /* --workers, 0: one per CPU */
	uint32_t drain_secs;	       /* --shutdown-drain-timeout-secs, --drain-timeout */
	uint32_t reconnect_initial_ms; /* --reconnect-initial-delay-ms */
	uint32_t reconnect_max_secs;   /* --reconnect-max-delay-secs */
	uint32_t report_secs;	       /* --stats-report-interval-secs */
	bool account_user;	       /* --accounting user */
	bool no_splice;		       /* --splice off */
	bool no_sni_alert;	       /* --sni-miss-alert off */
	bool no_sandbox;	       /* --sandbox off */
	bool test_hooks;	       /* --test-hooks */
	bool check;		       /* --check */
};

/*
 * Reads the command line. Returns -1 to go on, else the status to exit with: --help and --version
 * (0, on stdout), a usage error (2, one line on stderr that names the option).
 */
int options_parse(int argc, char **argv, struct options *o);

#endif
