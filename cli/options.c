// SPDX-License-Identifier: MIT
/* From argv to arguments, and the help texts made of the same table. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verb.h"

#define PROGRAM "portunus-server"

static void help_options(FILE *out, const struct cli_option *options, size_t n)
{
	for (size_t i = 0; i < n && options[i].name; i++) {
		char left[80];

		snprintf(left, sizeof(left), "--%s%s%s", options[i].name,
			 options[i].value ? " " : "", options[i].value ? options[i].value : "");
		fprintf(out, "  %-38s %s\n", left, options[i].help);
	}
}

static void help_verb(FILE *out, const struct cli_verb *v)
{
	fprintf(out, "Usage: " PROGRAM " %s%s%s [OPTIONS]\n\n%s\n\nOptions:\n", v->name,
		*v->positional ? " " : "", v->positional, v->summary);
	help_options(out, v->options, OPTIONS_OF_VERB_MAX);
	help_options(out, cli_global_options, cli_n_global_options);
}

static void help_all(FILE *out)
{
	fprintf(out, "Usage: " PROGRAM " COMMAND [ARGUMENTS] [OPTIONS]\n\nCommands:\n");
	for (size_t i = 0; i < cli_n_verbs; i++)
		fprintf(out, "  %-21s %s\n", cli_verbs[i].name, cli_verbs[i].summary);
	fprintf(out, "\nOptions:\n");
	help_options(out, cli_global_options, cli_n_global_options);
	fprintf(out, "\nEnvironment:\n"
		     "  PORTUNUS_OPERATOR_TOKEN         the token for commands that use the API\n"
		     "  PORTUNUS_ADVERTISED_ENDPOINT    as --advertised-endpoint\n"
		     "  PORTUNUS_OPERATOR_HTTP_LISTEN   as --operator-http-listen of serve\n"
		     "  PORTUNUS_CLIENT_OPTIONS         more options for the edge of serve --edge\n"
		     "  RUST_LOG                        error, warn, info, debug or trace\n");
}

int usage_error(const struct cli_args *a, const char *fmt, ...)
{
	va_list ap;

	fputs("error: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n\nFor more information, try '" PROGRAM " %s%s--help'.\n",
		a->verb ? a->verb->name : "", a->verb ? " " : "");
	return EXIT_USAGE;
}

int cli_error(int code_exit, const char *code, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "error: %s (", code);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs(")\n", stderr);
	return code_exit;
}

bool parse_u64(const char *text, unsigned long long min, unsigned long long max,
	       unsigned long long *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return !*end && !errno && *out >= min && *out <= max;
}

static const struct cli_option *find_option(const struct cli_verb *v, const char *name, size_t n)
{
	for (size_t i = 0; i < cli_n_global_options; i++)
		if (strlen(cli_global_options[i].name) == n &&
		    !strncmp(cli_global_options[i].name, name, n))
			return &cli_global_options[i];
	for (size_t i = 0; v && i < OPTIONS_OF_VERB_MAX && v->options[i].name; i++)
		if (strlen(v->options[i].name) == n && !strncmp(v->options[i].name, name, n))
			return &v->options[i];
	return NULL;
}

static const struct cli_verb *find_verb(const char *name)
{
	for (size_t i = 0; i < cli_n_verbs; i++)
		if (!strcmp(cli_verbs[i].name, name))
			return &cli_verbs[i];
	return NULL;
}

/* The verb is the first word that is neither a global option nor its value. */
static const char *verb_word(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const struct cli_option *o;

		if (strncmp(argv[i], "--", 2))
			return argv[i];
		o = find_option(NULL, argv[i] + 2, strcspn(argv[i] + 2, "="));
		if (o && o->value && !strchr(argv[i], '='))
			i++;
	}
	return NULL;
}

/* Takes the option at argv[*i]. -1, or an exit code. */
static int take_option(int argc, char **argv, int *i, struct cli_args *a)
{
	const char *text = argv[*i] + 2, *equals = strchr(text, '=');
	size_t n = equals ? (size_t)(equals - text) : strlen(text);
	const struct cli_option *o = find_option(a->verb, text, n);
	const char *value = equals ? equals + 1 : "";

	if (!o)
		return usage_error(a, "unexpected argument '--%.*s'", (int)n, text);
	if (o->value && !equals) {
		if (++*i == argc)
			return usage_error(a, "'--%s' needs a value <%s>", o->name, o->value);
		value = argv[*i];
	}
	if (!o->value && equals)
		return usage_error(a, "'--%s' takes no value", o->name);
	if (!strcmp(o->name, "format") && strcmp(value, "text") && strcmp(value, "json"))
		return usage_error(a, "invalid value '%s' for '--format': text or json", value);
	if (a->n_options == ARGS_OPTIONS_MAX)
		return usage_error(a, "too many options");
	a->options[a->n_options].name = o->name;
	a->options[a->n_options++].value = value;
	return -1;
}

static int take_all(int argc, char **argv, struct cli_args *a)
{
	bool verb_seen = false, literal = false;

	for (int i = 1; i < argc; i++) {
		int rc = -1;

		if (!literal && !strcmp(argv[i], "--"))
			literal = true;
		else if (!literal && !strcmp(argv[i], "-h"))
			rc = take_option(2, (char *[]){NULL, "--help"}, &(int){1}, a);
		else if (!literal && !strcmp(argv[i], "-V"))
			rc = take_option(2, (char *[]){NULL, "--version"}, &(int){1}, a);
		else if (!literal && !strncmp(argv[i], "--", 2))
			rc = take_option(argc, argv, &i, a);
		else if (!verb_seen)
			verb_seen = true;
		else if (a->n_positional == ARGS_POSITIONAL_MAX)
			rc = usage_error(a, "unexpected argument '%s'", argv[i]);
		else
			a->positional[a->n_positional++] = argv[i];
		if (rc >= 0)
			return rc;
	}
	return -1;
}

static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static int resolve_data_dir(struct cli_args *a)
{
	const char *given = args_option(a, "data-dir"), *base;
	int n = 0;

	a->data_dir = given ? given : env("STATE_DIRECTORY");
	if (a->data_dir)
		return 0;
	if ((base = env("XDG_STATE_HOME")))
		n = asprintf(&a->data_dir_buf, "%s/portunus", base);
	else if ((base = env("HOME")))
		n = asprintf(&a->data_dir_buf, "%s/.local/state/portunus", base);
	else
		n = asprintf(&a->data_dir_buf, "./portunus.state");
	a->data_dir = a->data_dir_buf;
	return n < 0 ? -1 : 0;
}

int args_parse(int argc, char **argv, struct cli_args *a)
{
	const char *word = verb_word(argc, argv);
	int rc;

	a->verb = word ? find_verb(word) : NULL;
	if (word && !a->verb && strcmp(word, "help") && word[0] != '-')
		return usage_error(a, "unrecognized command '%s'", word);
	rc = take_all(argc, argv, a);
	if (rc >= 0)
		return rc;
	if (args_flag(a, "version")) {
		puts(PROGRAM " " PORTUNUS_VERSION);
		return EXIT_OK;
	}
	if (args_flag(a, "help") || (word && !strcmp(word, "help"))) {
		if (a->verb)
			help_verb(stdout, a->verb);
		else
			help_all(stdout);
		return EXIT_OK;
	}
	if (!a->verb) {
		help_all(stderr);
		return EXIT_USAGE;
	}
	if (a->n_positional < a->verb->min_positional || a->n_positional > a->verb->max_positional)
		return usage_error(a, "'%s' takes: %s", a->verb->name,
				   *a->verb->positional ? a->verb->positional : "no arguments");
	a->advertised = args_option(a, "advertised-endpoint");
	if (!a->advertised)
		a->advertised = env("PORTUNUS_ADVERTISED_ENDPOINT");
	if (a->advertised && a->advertised[0] == ':')
		a->advertised = NULL;
	return resolve_data_dir(a) ? EXIT_OTHER : -1;
}

const char *args_option(const struct cli_args *a, const char *name)
{
	for (int i = a->n_options - 1; i >= 0; i--)
		if (!strcmp(a->options[i].name, name))
			return a->options[i].value;
	return NULL;
}

bool args_flag(const struct cli_args *a, const char *name)
{
	return args_option(a, name) != NULL;
}

bool args_json(const struct cli_args *a)
{
	const char *format = args_option(a, "format");

	return format && !strcmp(format, "json");
}

int cli_main(int argc, char **argv, const struct cli_host *host)
{
	struct cli_args a = {.host = host};
	int rc = args_parse(argc, argv, &a);

	if (rc < 0)
		rc = a.verb->run(&a);
	if (fflush(stdout) && rc == EXIT_OK) {
		perror("error: stdout");
		rc = EXIT_OTHER;
	}
	free(a.data_dir_buf);
	return rc;
}
