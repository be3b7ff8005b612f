// SPDX-License-Identifier: MIT
/* The table of verbs: names, arguments, options and help of each; and what runs them. */
#include "cli/cli.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/args.h"
#include "cli/cap_options.h"
#include "cli/verbs.h"

#define OPT_FORMAT                                                      \
	{                                                               \
		"format", "text|json", "how to print the answer (text)" \
	}
#define OPT_ENDPOINT                                                                  \
	{                                                                             \
		"http-endpoint", "[http[s]://]HOST:PORT",                             \
			"the server's API; found by itself where the server runs on " \
			"--data-dir, else " CLI_ENDPOINT                              \
	}

/* Those without a help are accepted for existing scripts; the server refuses what it has not got. */
#define OPTS_RULE                                                                                         \
	{"protocol", "tcp|udp", "the protocol (tcp)"},                                                    \
		{"target", "HOST:PORT[@PRIORITY][*WEIGHT][+WORD]",                                        \
		 "a target, up to eight; *: its share among those of the same priority; +v1, +v2, "       \
		 "+v2+unique_id: PROXY protocol; +check=PORT: where checks connect; +same-port: of a "    \
		 "range, one for all its ports"},                                                         \
		{"targets-json", "ARRAY", "the targets as JSON"},                                         \
		{"health-check-interval-secs", "N", "probe every target this often (1 to 3600)"},         \
		{"prefer-ipv6", NULL, "try a name's IPv6 addresses first"},                               \
		{"ack-timeout", "SECS", "how long to wait for the edge (2)"},                             \
		{"listen-address", "ADDRESS", "listen on this address only"},                             \
		{"connect-timeout-ms", "N", "for one target (3000)"},                                     \
		{"hedge-delay-ms", "N",                                                                   \
		 "dial the next target beside a silent one after this; 0: only after a failure. A hedge " \
		 "can choose a backup that was not strictly needed: single-writer services want 0"},      \
		{"idle-timeout-secs", "N", "end a connection that is silent for this long"},              \
		{"half-close-timeout-secs", "N", "the same, once one side has said its FIN"},             \
		{"relay", "PATH",                                                                         \
		 "who moves the bytes: user (the default), kernel, or auto; '' for the default"},         \
		{"udp-flow-idle-secs", "N",                                                               \
		 "end a UDP flow without a datagram for this long (60)"},                                 \
		{"udp-max-flows", "N", "UDP flows at a time (1024)"},                                     \
		{"udp-reply-timeout-ms", "N", "a UDP target silent for this long has failed"},            \
		{"accept-proxy", "off|optional|required",                                                 \
		 "load balancers in front send a header of the PROXY protocol"},                          \
		{"accept-proxy-from", "CIDR", "whose headers are believed; may be given often"},          \
		{"health-check-proxy", NULL, "checks send a header of the PROXY protocol, too"},          \
		{"source-address", "ADDRESS",                                                             \
		 "where connections to targets come from; may be given once for each family"},            \
		{"source-interface", "NAME", "the interface they leave by"},                              \
		{"listen-interface", "NAME",                                                              \
		 "listen for clients that come by this interface only"},                                  \
		{"congestion-control", "NAME",                                                            \
		 "of TCP, towards clients and targets (the host's)"},                                     \
		{"allow", "CIDR",                                                                         \
		 "only these clients may come; may be given often, '' for everybody"},                    \
		{"deny", "CIDR", "these may not; the longest prefix decides; '' for nobody"},             \
		{"balance", "order|round_robin|least_connections|source_hash",                            \
		 "who of the targets of equal priority takes a connection (order)"},                      \
		{"eject", "RESETS/WINDOW/FOR|off",                                                        \
		 "a target that accepts and then resets so often in WINDOW seconds has failed, for FOR "  \
		 "seconds at least"},                                                                     \
		{"health-check-send", "TEXT", "what a check sends; \\r \\n \\t \\0 \\\\ \\xNN"},          \
		{"health-check-expect", "TEXT", "what its answer has to begin with"},                     \
		{"health-check-tls", NULL, "checks speak TLS"},                                           \
		{"health-check-port", "N", "the port that checks connect to (the target's)"},             \
		{"on-failure", "keep|end_sessions",                                                       \
		 "what becomes of the open connections of a target that fails (keep)"},                   \
		{"failback", "auto|manual",                                                               \
		 "whether a better target that recovers takes new connections by itself (auto)"},         \
		{"sni", "PATTERN",                                                                        \
		 "clients that ask for this TLS server name; \"*.\" for one label; '' for any"},          \
		{"fallback-non-tls", "true|false",                                                        \
		 "as fallback of a port with server names: take what is not TLS as well"},                \
		OPTS_CAPS

static const struct cli_option globals[] = {
	{"data-dir", "PATH",
	 "where the server keeps its state (" CLI_UNIT_DIR " if there is one, else "
	 "~/.local/state/portunus)"},
	{"advertised-endpoint", "HOST:PORT", "where edges reach this server"},
	{"help", NULL, "print help"},
	{"version", NULL, "print the version"},
};

static const struct cli_option of_api[] = {
	{"cacert", "FILE", "HTTPS: the certificate's issuer, PEM (the system's)"},
	{"insecure-pin", "sha256:HEX",
	 "HTTPS: accept the one certificate with this SHA-256, and check nothing else"},
};

static const struct cli_verb verbs[] = {
	{"serve",
	 "",
	 "run the server",
	 0,
	 0,
	 verb_serve,
	 {{"operator-http-listen", "IP:PORT", "where operators reach the API"},
	  {"edge", "NAME",
	   "run an edge on this host too: enrolled by itself, root's, outliving the server"},
	  {"edge-stop", NULL, "with --edge: stop the edge with the server"},
	  {"edge-program", "PATH", "with --edge: of portunus-client (beside this one, or in PATH)"},
	  {"edge-instance", "NAME", "with --edge: the edge's --instance"},
	  {"user", "NAME",
	   "with --edge: whom the server half runs as (the data directory's owner)"}}},
	{"init",
	 "",
	 "make the data directory, its store and the certificate that edges know the server by",
	 0,
	 0,
	 verb_init,
	 {OPT_FORMAT}},
	{"enroll-client",
	 "NAME",
	 "make a one-time code for a new edge and print the command it runs",
	 1,
	 1,
	 verb_enroll_client,
	 {{"address", "HOST", "the edge's address, for the list of clients"},
	  {"again", NULL,
	   "for an edge that is there, by its name or id: it keeps its id and its rules"},
	  {"ttl-secs", "N", "how long the code is good for (600; 1 to 86400)"},
	  OPT_FORMAT,
	  OPT_ENDPOINT}},
	{"revoke",
	 "NAME|ID",
	 "revoke a client's token and end its session",
	 1,
	 1,
	 verb_revoke,
	 {OPT_FORMAT, OPT_ENDPOINT}},
	{"rotate-token",
	 "NAME|ID",
	 "give a connected edge a new token; its session and its connections go on",
	 1,
	 1,
	 verb_rotate_token,
	 {OPT_FORMAT, OPT_ENDPOINT}},
	{"rotate-certificate",
	 "",
	 "make a new certificate for edges, which is used once they know it",
	 0,
	 0,
	 verb_rotate_certificate,
	 {OPT_FORMAT, OPT_ENDPOINT}},
	{"rename-client",
	 "[NAME|ID]",
	 "give a client another name",
	 0,
	 1,
	 verb_rename_client,
	 {{"client-id", "ULID", "which client"},
	  {"name", "TEXT", "its new name"},
	  OPT_FORMAT,
	  OPT_ENDPOINT}},
	{"list-clients", "", "list the edges", 0, 0, verb_list_clients, {OPT_FORMAT, OPT_ENDPOINT}},
	{"push-rule",
	 "CLIENT LISTEN [HOST:PORT]",
	 "forward a port of an edge to one target or, in order of preference, to up to eight",
	 2,
	 3,
	 verb_push_rule,
	 {OPTS_RULE, OPT_FORMAT, OPT_ENDPOINT}},
	{"update-rule",
	 "RULE_ID [HOST:PORT]",
	 "change a rule; what is not given stays, and so do its open connections; an empty value, as "
	 "--idle-timeout-secs '', takes a setting away",
	 1,
	 2,
	 verb_update_rule,
	 {OPTS_RULE,
	  {"listen", "PORT[-END]", "other ends of a range; the ports that stay keep their targets"},
	  {"no-health-check", NULL, "probe no more"},
	  {"no-health-check-tls", NULL, "checks speak no TLS any more"},
	  {"no-prefer-ipv6", NULL, "try a name's addresses as they come"},
	  {"no-health-check-proxy", NULL, "checks send no header any more"},
	  {"no-caps", NULL, "without any cap"},
	  OPT_FORMAT,
	  OPT_ENDPOINT}},
	{"export",
	 "",
	 "print the rules as a rules file, for apply",
	 0,
	 0,
	 verb_export,
	 {{"client", "NAME|ID", "of this client only"}, OPT_FORMAT, OPT_ENDPOINT}},
	{"apply",
	 "",
	 "make the rules be those of a file: add what is missing, change what differs",
	 0,
	 0,
	 verb_apply,
	 {{"file", "FILE", "an array of rules; '-' (or -f -): the standard input"},
	  {"client", "NAME", "whose rules these are; where the file does not say"},
	  {"prune", NULL, "with --client: remove its rules that are not in the file"},
	  {"dry-run", NULL, "only say what would change, and end with 10 if anything would"},
	  {"ack-timeout", "SECS", NULL},
	  OPT_FORMAT,
	  OPT_ENDPOINT}},
	{"remove-rule",
	 "RULE_ID",
	 "remove a rule; its connections are drained",
	 1,
	 1,
	 verb_remove_rule,
	 {OPT_FORMAT, OPT_ENDPOINT}},
	{"failback",
	 "RULE_ID",
	 "give new connections to a rule's best target again, where that waits for it",
	 1,
	 1,
	 verb_fail_back,
	 {OPT_FORMAT, OPT_ENDPOINT}},
	{"list-rules",
	 "",
	 "list the rules",
	 0,
	 0,
	 verb_list_rules,
	 {{"client", "NAME|ID", "of this client only"}, OPT_FORMAT, OPT_ENDPOINT}},
	{"flows",
	 "RULE_ID",
	 "list the flows that a UDP rule has now, 1000 at most",
	 1,
	 1,
	 verb_rule_flows,
	 {OPT_FORMAT, OPT_ENDPOINT}},
	{"rule-stats",
	 "RULE_ID",
	 "print what went through a rule",
	 1,
	 1,
	 verb_rule_stats,
	 {{"per-target", NULL, "with the state and figures of each target"},
	  {"caps", NULL, "with its caps, and what they have refused and held back"},
	  {"per-port", NULL, "with the figures of each port of a range that was used"},
	  {"watch", NULL, "go on, live, over restarts of the server, until the rule is gone"},
	  OPT_FORMAT,
	  OPT_ENDPOINT}},
	{"owner-cap",
	 "list|get|set|delete CLIENT [OWNER]",
	 "what all rules of an owner may do together on an edge",
	 2,
	 3,
	 verb_owner_cap,
	 {OPTS_CAPS, OPT_FORMAT, OPT_ENDPOINT}},
	{"gen-token",
	 "",
	 "print a random token, for operator_token",
	 0,
	 0,
	 verb_gen_token,
	 {OPT_FORMAT}},
	{"bootstrap-superadmin",
	 "",
	 "make the first admin token and print it",
	 0,
	 0,
	 verb_bootstrap,
	 {{"name", "TEXT", NULL}, OPT_FORMAT, OPT_ENDPOINT}},
	{"token-add",
	 "NAME",
	 "make an operator's token and print it, once",
	 1,
	 1,
	 verb_token_add,
	 {{"role", "admin|operator|viewer", "everything, own rules, or reading (operator)"},
	  {"expires-at", "TIME", "when it ends, as 2027-01-31T00:00:00Z (never)"},
	  OPT_FORMAT,
	  OPT_ENDPOINT}},
	{"token-list",
	 "",
	 "list the operators' tokens",
	 0,
	 0,
	 verb_token_list,
	 {OPT_FORMAT, OPT_ENDPOINT}},
	{"token-revoke",
	 "NAME",
	 "revoke an operator's token",
	 1,
	 1,
	 verb_token_revoke,
	 {OPT_FORMAT, OPT_ENDPOINT}},
	{"backup",
	 "",
	 "copy the store into a file, also while the server runs",
	 0,
	 0,
	 verb_backup,
	 {{"out", "PATH", "a new file, or a directory, for a name with the time in it (.)"},
	  {"full", NULL,
	   "a tar of the store, the certificate pair that edges know the server by, and "
	   "server.toml: what another host needs"},
	  {"keep", "N", "in a directory: remove all but the newest N of the kind"},
	  OPT_FORMAT}},
	{"restore",
	 "",
	 "make a backup the state of the data directory, while no server runs on it",
	 0,
	 0,
	 verb_restore,
	 {{"in", "PATH", "what backup has made, with or without --full"},
	  {"force", NULL,
	   "replace the store that is there, and with --full certificate and settings"},
	  OPT_FORMAT}},
	{"reset",
	 "",
	 "remove the store; certificate and server.toml stay",
	 0,
	 0,
	 verb_reset,
	 {{"confirm", NULL, "do it; without, only say what would be removed"}, OPT_FORMAT}},
	{"audit",
	 "prune",
	 "remove old rows of the audit trail, while no server runs",
	 1,
	 1,
	 verb_audit,
	 {{"before", "TIME", "older than this, as 2027-01-31T00:00:00Z"},
	  {"dry-run", NULL, "only say how many"},
	  OPT_FORMAT}},
	{"completion",
	 "SHELL",
	 "print a completion script for bash, zsh or fish",
	 1,
	 1,
	 verb_completion,
	 {{NULL}}},
};

static const struct cli_table table = {
	.verbs = verbs,
	.n_verbs = sizeof(verbs) / sizeof(verbs[0]),
	.globals = globals,
	.n_globals = sizeof(globals) / sizeof(globals[0]),
	.of_api = of_api,
	.n_of_api = sizeof(of_api) / sizeof(of_api[0]),
};

int cli_main(int argc, char **argv, const struct cli_host *host)
{
	struct cli_args a = {.host = host, .table = &table};
	int rc;

	/* All texts are UTF-8, whatever the terminal was told. */
	setlocale(LC_CTYPE, "C.UTF-8");
	rc = args_parse(argc, argv, &a);
	if (rc < 0)
		rc = a.verb->run(&a);
	if (fflush(stdout) && rc == EXIT_OK)
		rc = cli_failure(&a, EXIT_OTHER, "output", "stdout: cannot write");
	free(a.data_dir_buf);
	return rc;
}
