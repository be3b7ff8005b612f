// SPDX-License-Identifier: MIT
/* Shell completion, made of the table of verbs: what is offered is what is accepted. */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/verbs.h"

/* Which values an option has, or a kind of file. */
static const struct {
	const char *option, *words;
} values[] = {
	{"format", "text json"},
	{"balance", "order round_robin least_connections source_hash"},
	{"accept-proxy", "off optional required"},
	{"failback", "auto manual"},
	{"on-failure", "keep end_sessions"},
	{"protocol", "tcp udp"},
	{"role", "admin operator viewer"},
	{"fallback-non-tls", "true false"},
};
static const char *const dirs[] = {"data-dir", "dir", NULL};
static const char *const files[] = {"cacert", "edge-program", "file", "in", "out", NULL};

static bool in_list(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(*list, name))
			return true;
	return false;
}

static const char *words_of(const char *option)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (!strcmp(values[i].option, option))
			return values[i].words;
	return NULL;
}

/* Calls @each for the options that a verb offers. */
static void each_option(const struct cli_table *t, const struct cli_verb *v,
			void (*each)(const struct cli_verb *v, const struct cli_option *o))
{
	for (size_t i = 0; v && i < OPTIONS_OF_VERB_MAX && v->options[i].name; i++)
		if (v->options[i].help)
			each(v, &v->options[i]);
	for (size_t i = 0; v && verb_uses_api(v) && i < t->n_of_api; i++)
		each(v, &t->of_api[i]);
	for (size_t i = 0; i < t->n_globals; i++)
		each(v, &t->globals[i]);
}

/* ---- bash ---- */

static void bash_option(const struct cli_verb *v, const struct cli_option *o)
{
	printf(" --%s", o->name);
}

/* The patterns of all options that take a value which nobody can guess. */
static void bash_values(const struct cli_table *t)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		printf("\t--%s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n",
		       values[i].option, values[i].words);
	puts("\t--data-dir) COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n"
	     "\t--cacert|--edge-program|--file|--in|--out) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;");
	fputs("\t--advertised-endpoint", stdout);
	for (size_t i = 0; i < t->n_verbs; i++)
		for (const struct cli_option *o = t->verbs[i].options; o->name; o++)
			if (o->value && o->help && !words_of(o->name) && !in_list(o->name, dirs) &&
			    !in_list(o->name, files))
				printf("|--%s", o->name);
	puts("|--insecure-pin) return ;;");
}

static void bash(const struct cli_table *t)
{
	puts("_portunus_server() {\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= words= i\n"
	     "\tcase $prev in");
	bash_values(t);
	puts("\tesac\n"
	     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	     "\t\tcase ${COMP_WORDS[i]} in\n"
	     "\t\t--data-dir|--advertised-endpoint) i=$((i + 1)) ;;\n"
	     "\t\t-*) ;;\n"
	     "\t\t*) verb=${COMP_WORDS[i]}; break ;;\n"
	     "\t\tesac\n"
	     "\tdone\n"
	     "\tcase $verb in");
	for (size_t i = 0; i < t->n_verbs; i++) {
		printf("\t%s) words='%s", t->verbs[i].name,
		       strcmp(t->verbs[i].name, "completion") ? "" : "bash zsh fish");
		each_option(t, &t->verbs[i], bash_option);
		puts("' ;;");
	}
	fputs("\t'') words='", stdout);
	for (size_t i = 0; i < t->n_verbs; i++)
		printf(" %s", t->verbs[i].name);
	each_option(t, NULL, bash_option);
	puts("' ;;\n\tesac\n"
	     "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	     "}\n"
	     "complete -F _portunus_server portunus-server");
}

/* ---- zsh ---- */

/* A text within '…' of a specification of _arguments, where brackets and colons mean something. */
static void zsh_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr("[]:\\", *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void zsh_option(const struct cli_verb *v, const struct cli_option *o)
{
	const char *words = words_of(o->name);

	printf("\t\t\t'%s--%s[", strcmp(o->name, "target") ? "" : "*", o->name);
	zsh_text(o->help);
	putchar(']');
	if (o->value) {
		putchar(':');
		zsh_text(o->value);
		if (words)
			printf(":(%s)", words);
		else
			fputs(in_list(o->name, dirs)	? ":_directories"
			      : in_list(o->name, files) ? ":_files"
							: ": ",
			      stdout);
	}
	puts("' \\");
}

static void zsh(const struct cli_table *t)
{
	puts("#compdef portunus-server\n"
	     "_portunus_server() {\n"
	     "\tlocal verb= i\n"
	     "\tfor ((i = 2; i < CURRENT; i++)); do\n"
	     "\t\tcase $words[i] in\n"
	     "\t\t--data-dir|--advertised-endpoint) ((i++)) ;;\n"
	     "\t\t-*) ;;\n"
	     "\t\t*) verb=$words[i]; break ;;\n"
	     "\t\tesac\n"
	     "\tdone\n"
	     "\tcase $verb in");
	for (size_t i = 0; i < t->n_verbs; i++) {
		bool shell = !strcmp(t->verbs[i].name, "completion");

		printf("\t%s)\n\t\t_arguments \\\n", t->verbs[i].name);
		each_option(t, &t->verbs[i], zsh_option);
		printf("\t\t\t'1: ' '*:argument:%s' ;;\n", shell ? "(bash zsh fish)" : " ");
	}
	puts("\t*)\n\t\t_arguments \\");
	each_option(t, NULL, zsh_option);
	puts("\t\t\t'1:command:((\\");
	for (size_t i = 0; i < t->n_verbs; i++) {
		printf("\t\t\t\t%s\\:\"", t->verbs[i].name);
		zsh_text(t->verbs[i].summary);
		puts("\" \\");
	}
	puts("\t\t\t))' ;;\n\tesac\n"
	     "}\n"
	     "if [ \"$funcstack[1]\" = _portunus_server ]; then\n"
	     "\t_portunus_server \"$@\"\n"
	     "else\n"
	     "\tcompdef _portunus_server portunus-server\n"
	     "fi");
}

/* ---- fish ---- */

static void fish_text(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (strchr("'\\", *text))
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void fish_option(const struct cli_verb *v, const struct cli_option *o)
{
	const char *words = words_of(o->name);

	fputs("complete -c portunus-server", stdout);
	if (v)
		printf(" -n '__fish_seen_subcommand_from %s'", v->name);
	printf(" -l %s -d ", o->name);
	fish_text(o->help);
	if (o->value && words)
		printf(" -x -a '%s'", words);
	else if (o->value && in_list(o->name, dirs))
		fputs(" -x -a '(__fish_complete_directories)'", stdout);
	else if (o->value)
		fputs(in_list(o->name, files) ? " -r -F" : " -x", stdout);
	putchar('\n');
}

static void fish(const struct cli_table *t)
{
	puts("complete -c portunus-server -f");
	for (size_t i = 0; i < t->n_verbs; i++) {
		const struct cli_verb *v = &t->verbs[i];

		printf("complete -c portunus-server -n __fish_use_subcommand -a %s -d ", v->name);
		fish_text(v->summary);
		putchar('\n');
		for (const struct cli_option *o = v->options; o->name; o++)
			if (o->help)
				fish_option(v, o);
		for (size_t k = 0; verb_uses_api(v) && k < t->n_of_api; k++)
			fish_option(v, &t->of_api[k]);
	}
	for (size_t i = 0; i < t->n_globals; i++)
		fish_option(NULL, &t->globals[i]);
	puts("complete -c portunus-server -n '__fish_seen_subcommand_from completion' "
	     "-a 'bash zsh fish'");
}

int verb_completion(struct cli_args *a)
{
	static const struct {
		const char *name;
		void (*print)(const struct cli_table *t);
	} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(a->positional[0], shells[i].name))
			continue;
		shells[i].print(a->table);
		return EXIT_OK;
	}
	return usage_error(a, "invalid value '%s' for SHELL: bash, zsh or fish", a->positional[0]);
}
