// SPDX-License-Identifier: MIT
/* Shell completion, made of the table of verbs. */
#include <stdio.h>
#include <string.h>

#include "cli/verb.h"

static void print_options(const struct cli_option *options, size_t n)
{
	for (size_t i = 0; i < n && options[i].name; i++)
		printf(" --%s", options[i].name);
}

int verb_completion(struct cli_args *a)
{
	if (strcmp(a->positional[0], "bash"))
		return usage_error(a, "invalid value '%s' for SHELL: bash", a->positional[0]);
	puts("_portunus_server() {\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= words=");
	puts("\tcase $prev in");
	puts("\t--format) COMPREPLY=($(compgen -W 'text json' -- \"$cur\")); return ;;");
	puts("\t--protocol) COMPREPLY=($(compgen -W 'tcp udp' -- \"$cur\")); return ;;");
	puts("\t--role) COMPREPLY=($(compgen -W 'admin operator viewer' -- \"$cur\")); return ;;");
	puts("\t--data-dir) COMPREPLY=($(compgen -d -- \"$cur\")); return ;;");
	puts("\tesac\n"
	     "\tlocal i\n"
	     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	     "\t\tcase ${COMP_WORDS[i]} in\n"
	     "\t\t--data-dir|--advertised-endpoint) i=$((i + 1)) ;;\n"
	     "\t\t-*) ;;\n"
	     "\t\t*) verb=${COMP_WORDS[i]}; break ;;\n"
	     "\t\tesac\n"
	     "\tdone\n"
	     "\tcase $verb in");
	for (size_t i = 0; i < cli_n_verbs; i++) {
		printf("\t%s) words='", cli_verbs[i].name);
		print_options(cli_verbs[i].options, OPTIONS_OF_VERB_MAX);
		puts("' ;;");
	}
	printf("\t'') words='");
	for (size_t i = 0; i < cli_n_verbs; i++)
		printf(" %s", cli_verbs[i].name);
	puts("' ;;\n\tesac");
	printf("\tCOMPREPLY=($(compgen -W \"$words");
	print_options(cli_global_options, cli_n_global_options);
	puts("\" -- \"$cur\"))\n"
	     "}\n"
	     "complete -F _portunus_server portunus-server");
	return EXIT_OK;
}
