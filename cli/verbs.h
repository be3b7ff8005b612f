/* SPDX-License-Identifier: MIT */
/* The verbs of portunus-server, by file. */
#ifndef PORTUNUS_CLI_VERBS_H
#define PORTUNUS_CLI_VERBS_H

#include "cli/args.h"

/* The verbs: each returns the program's exit code. */
int verb_serve(struct cli_args *a);
int verb_init(struct cli_args *a);
int verb_push_rule(struct cli_args *a);
int verb_update_rule(struct cli_args *a);
int verb_export(struct cli_args *a);
int verb_apply(struct cli_args *a);
int verb_remove_rule(struct cli_args *a);
int verb_fail_back(struct cli_args *a);
int verb_list_rules(struct cli_args *a);
int verb_rule_flows(struct cli_args *a);
int verb_rule_stats(struct cli_args *a);
int verb_list_clients(struct cli_args *a);
int verb_enroll_client(struct cli_args *a);
int verb_revoke(struct cli_args *a);
int verb_rotate_token(struct cli_args *a);
int verb_rotate_certificate(struct cli_args *a);
int verb_rename_client(struct cli_args *a);
int verb_owner_cap(struct cli_args *a);
int verb_gen_token(struct cli_args *a);
int verb_bootstrap(struct cli_args *a);
int verb_token_add(struct cli_args *a);
int verb_token_list(struct cli_args *a);
int verb_token_revoke(struct cli_args *a);
int verb_backup(struct cli_args *a);
int verb_restore(struct cli_args *a);
int verb_reset(struct cli_args *a);
int verb_audit(struct cli_args *a);
int verb_completion(struct cli_args *a);

#define CLIENT_ID_SIZE 32

/* The id of the client with this name or id. 0, or the exit code after an error was printed. */
int client_find(struct cli_args *a, const char *text, char id[CLIENT_ID_SIZE]);

#endif
