// SPDX-License-Identifier: MIT
/* From argv to arguments, and the help texts made of the same table. */
#include "cli/args.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "lib/base/utf8.h"
#include "lib/base/wrap.h"

#define PROGRAM "portunus-server"

#define HELP_INDENT 34

static void help_options(FILE *out, const struct cli_option *options, size_t n)
{
	for (size_t i = 0; i < n && options[i].name; i++) {
		char left[80];
		int len;

		if (!options[i].help)
			continue;
		len = snprintf(left, sizeof(left), "--%s%s%s", options[i].name,
			       options[i].value ? " " : "",
			       options[i].value ? options[i].value : "");
		if (len > HELP_INDENT - 3)
			fprintf(out, "  %s\n%*s", left, HELP_INDENT, "");
		else
			fprintf(out, "  %-*s", HELP_INDENT - 2, left);
		wrap_print(out, options[i].help, HELP_INDENT);
	}
}

static void help_verb(FILE *out, const struct cli_table *t, const struct cli_verb *v)
{
	fprintf(out, "Usage: " PROGRAM " %s%s%s [OPTIONS]\n\n", v->name, *v->positional ? " " : "",
		v->positional);
	wrap_print(out, v->summary, 0);
	fputs("\nOptions:\n", out);
	help_options(out, v->options, OPTIONS_OF_VERB_MAX);
	if (verb_uses_api(v))
		help_options(out, t->of_api, t->n_of_api);
	help_options(out, t->globals, t->n_globals);
}

static void help_all(FILE *out, const struct cli_table *t)
{
	fprintf(out, "Usage: " PROGRAM " COMMAND [ARGUMENTS] [OPTIONS]\n\nCommands:\n");
	for (size_t i = 0; i < t->n_verbs; i++) {
		fprintf(out, "  %-22s", t->verbs[i].name);
		wrap_print(out, t->verbs[i].summary, 24);
	}
	fprintf(out, "\nOptions:\n");
	help_options(out, t->globals, t->n_globals);
	fprintf(out, "\nOptions of the commands that use the API:\n");
	help_options(out, t->of_api, t->n_of_api);
	fprintf(out, "\nEnvironment:\n"
		     "  PORTUNUS_OPERATOR_TOKEN         the token for commands that use the API\n"
		     "  PORTUNUS_HTTP_ENDPOINT          as --http-endpoint\n"
		     "  PORTUNUS_ADVERTISED_ENDPOINT    as --advertised-endpoint\n"
		     "  PORTUNUS_OPERATOR_HTTP_LISTEN   as --operator-http-listen of serve\n"
		     "  PORTUNUS_CLIENT_OPTIONS         more options for the edge of serve --edge\n"
		     "  SSL_CERT_FILE                   as --cacert\n"
		     "  RUST_LOG                        error, warn, info, debug or trace\n");
}

/* ---- errors ---- */

static void print_error(const struct cli_args *a, const char *code, bool show, const char *fmt,
			va_list ap) __attribute__((format(printf, 4, 0)));
static void print_error(const struct cli_args *a, const char *code, bool show, const char *fmt,
			va_list ap)
{
	char text[1024];
	json_t *o;

	utf8_vformat(text, sizeof(text), fmt, ap);
	if (!a->json) {
		if (show)
			fprintf(stderr, "error: %s (%s)\n", code, text);
		else
			fprintf(stderr, "error: %s\n", text);
		return;
	}
	o = json_pack("{s:{s:s,s:s}}", "error", "code", code, "message", text);
	json_dumpf(o, stderr, JSON_COMPACT);
	fputc('\n', stderr);
	json_decref(o);
}

int usage_error(const struct cli_args *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_error(a, "usage", false, fmt, ap);
	va_end(ap);
	if (!a->json)
		fprintf(stderr, "\nFor more information, try '" PROGRAM " %s%s--help'.\n",
			a->verb ? a->verb->name : "", a->verb ? " " : "");
	return EXIT_USAGE;
}

int cli_error(const struct cli_args *a, int code_exit, const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_error(a, code, true, fmt, ap);
	va_end(ap);
	return code_exit;
}

int cli_failure(const struct cli_args *a, int code_exit, const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_error(a, code, false, fmt, ap);
	va_end(ap);
	return code_exit;
}

void cli_note(const struct cli_args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->json)
		return;
	fputs("note: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
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

static const struct cli_option *find_in(const struct cli_option *options, size_t count,
					const char *name, size_t n)
{
	for (size_t i = 0; i < count && options[i].name; i++)
		if (strlen(options[i].name) == n && !strncmp(options[i].name, name, n))
			return &options[i];
	return NULL;
}

bool verb_uses_api(const struct cli_verb *v)
{
	return find_in(v->options, OPTIONS_OF_VERB_MAX, "http-endpoint", 13);
}

/* The verb's option of that name, offered or not; NULL if it has none. */
static const struct cli_option *find_option(const struct cli_table *t, const struct cli_verb *v,
					    const char *name, size_t n)
{
	const struct cli_option *o = find_in(t->globals, t->n_globals, name, n);

	if (!o && v)
		o = find_in(v->options, OPTIONS_OF_VERB_MAX, name, n);
	if (!o && v && verb_uses_api(v))
		o = find_in(t->of_api, t->n_of_api, name, n);
	return o;
}

static const struct cli_verb *find_verb(const struct cli_table *t, const char *name)
{
	for (size_t i = 0; i < t->n_verbs; i++)
		if (!strcmp(t->verbs[i].name, name))
			return &t->verbs[i];
	return NULL;
}

/* The verb is the first word that is neither a global option nor its value. */
static const char *verb_word(const struct cli_table *t, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const struct cli_option *o;

		if (strncmp(argv[i], "--", 2))
			return argv[i];
		o = find_option(t, NULL, argv[i] + 2, strcspn(argv[i] + 2, "="));
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
	const struct cli_option *o = find_option(a->table, a->verb, text, n);
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
		else if (!literal && !strcmp(argv[i], "-f") && (argv[i] = (char *)"--file"))
			rc = take_option(argc, argv, &i, a);
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

const char *cli_env(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static bool has_store(const char *dir)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/state.db", dir) < (int)sizeof(path) &&
	       !access(path, F_OK);
}

/* The user's own directory, into @a->data_dir_buf. */
static int own_data_dir(struct cli_args *a)
{
	const char *base;

	if ((base = cli_env("XDG_STATE_HOME")))
		return asprintf(&a->data_dir_buf, "%s/portunus", base);
	if ((base = cli_env("HOME")))
		return asprintf(&a->data_dir_buf, "%s/.local/state/portunus", base);
	return asprintf(&a->data_dir_buf, "./portunus.state");
}

/*
 * The one named, or the packaged unit's if this host has it and we may look into it, or the user's own. A
 * store of the user's is not left alone for an empty directory.
 */
static int resolve_data_dir(struct cli_args *a)
{
	a->data_dir = args_option(a, "data-dir");
	if (!a->data_dir)
		a->data_dir = cli_env("STATE_DIRECTORY");
	a->data_dir_given = a->data_dir;
	if (a->data_dir)
		return 0;
	if (own_data_dir(a) < 0)
		return -1;
	a->data_dir = a->data_dir_buf;
	if (!access(CLI_UNIT_DIR, R_OK | X_OK) &&
	    (has_store(CLI_UNIT_DIR) || !has_store(a->data_dir)))
		a->data_dir = CLI_UNIT_DIR;
	return 0;
}

/* An error is to have the right form, wherever on the line the option stands. */
static bool wants_json(int argc, char **argv)
{
	bool json = false;

	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strncmp(argv[i], "--format=", 9))
			json = !strcmp(argv[i] + 9, "json");
		else if (!strcmp(argv[i], "--format") && i + 1 < argc)
			json = !strcmp(argv[i + 1], "json");
	}
	return json;
}

int args_parse(int argc, char **argv, struct cli_args *a)
{
	const char *word = verb_word(a->table, argc, argv);
	int rc;

	a->json = wants_json(argc, argv);
	a->verb = word ? find_verb(a->table, word) : NULL;
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
			help_verb(stdout, a->table, a->verb);
		else
			help_all(stdout, a->table);
		return EXIT_OK;
	}
	if (!a->verb) {
		help_all(stderr, a->table);
		return EXIT_USAGE;
	}
	if (a->n_positional < a->verb->min_positional || a->n_positional > a->verb->max_positional)
		return usage_error(a, "'%s' takes: %s", a->verb->name,
				   *a->verb->positional ? a->verb->positional : "no arguments");
	a->advertised = args_option(a, "advertised-endpoint");
	if (!a->advertised)
		a->advertised = cli_env("PORTUNUS_ADVERTISED_ENDPOINT");
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
