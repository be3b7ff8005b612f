// SPDX-License-Identifier: MIT
/* backup, restore, reset and audit prune: verbs on the data directory itself */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/print.h"
#include "cli/verbs.h"

#define KEEP_MAX 100000

struct meaning {
	int err, exit;
	const char *code;
};

/* Says what went wrong, by the row of @table (ends with 0) or as any other failure of the store. */
static int fail(const struct cli_args *a, const struct meaning *table, int err, const char *why)
{
	static const struct meaning common[] = {{-EBUSY, EXIT_OTHER, "store_in_use"},
						{-EPROTO, EXIT_SCHEMA, "schema_too_new"},
						{-ENOSPC, EXIT_OTHER, "disk_full"},
						{0, EXIT_OTHER, "store"}};
	size_t n;

	while (table->err && table->err != err)
		table++;
	if (!table->err)
		for (table = common; table->err && table->err != err;)
			table++;
	/* The store's sentence may have the code already. */
	n = strlen(table->code);
	if (!strncmp(why, table->code, n) && why[n] == ':')
		why += n + 2;
	return cli_error(a, table->exit, table->code, "%s", *why ? why : strerror(-err));
}

#define PINS "every edge knows the server by its certificate (server.crt, server.key), which "

/* ---- backup ---- */

int verb_backup(struct cli_args *a)
{
	static const struct meaning meanings[] = {{-ENOENT, EXIT_NO_SOURCE, "store_missing"},
						  {-EEXIST, EXIT_OVERWRITE, "would_overwrite"},
						  {-EUCLEAN, EXIT_NO_DATABASE, "store_damaged"},
						  {0}};
	const char *out = args_option(a, "out"), *keep = args_option(a, "keep");
	struct cli_backup what = {.data_dir = a->data_dir,
				  .out = out ? out : ".",
				  .full = args_flag(a, "full")};
	unsigned long long n = 0;
	char path[PATH_MAX] = "", why[600] = "";
	int err;

	if (keep && !parse_u64(keep, 1, KEEP_MAX, &n))
		return usage_error(a, "invalid value '%s' for '--keep': 1 to %d", keep, KEEP_MAX);
	if (!*what.out)
		return usage_error(a, "'--out' needs a path");
	what.keep = (unsigned)n;
	err = a->host->backup(&what, path, why, sizeof(why));
	if (err == -EINVAL)
		return usage_error(a, "'--keep' wants a directory: '%s' is none", what.out);
	if (err == -EEXIST)
		snprintf(why, sizeof(why), "%.500s is there already", path);
	if (err)
		return fail(a, meanings, err, why);
	if (a->json)
		print_done("backup", json_string(path));
	else
		printf("backup=%s\n", path);
	if (!what.full)
		cli_note(a, PINS "is not in this backup: --full has it, and server.toml");
	return EXIT_OK;
}

/* ---- restore ---- */

static void restore_notes(const struct cli_args *a, const struct cli_restored *r)
{
	if (!r->pair)
		cli_note(a, PINS "was not in this backup: with another one each has to be enrolled "
				 "again");
	else if (r->cert[0])
		cli_note(a,
			 "server.toml wants the certificate pair as %s and %s: move server.crt and "
			 "server.key of %s there before the server starts",
			 r->cert, r->key, a->data_dir);
	cli_note(a, "tokens and edges that were revoked since the backup was made are valid again: "
		    "look through token-list and list-clients");
}

int verb_restore(struct cli_args *a)
{
	static const struct meaning meanings[] = {{-ENOENT, EXIT_NO_SOURCE, "backup_missing"},
						  {-EEXIST, EXIT_OVERWRITE, "would_overwrite"},
						  {-EUCLEAN, EXIT_NO_DATABASE, "not_a_backup"},
						  {-ENOTRECOVERABLE, EXIT_MIGRATION,
						   "migration_failed"},
						  {0}};
	struct cli_restore what = {.data_dir = a->data_dir,
				   .in = args_option(a, "in"),
				   .force = args_flag(a, "force")};
	struct cli_restored r;
	int err;

	if (!what.in || !*what.in)
		return usage_error(a, "'restore' needs '--in <PATH>'");
	err = a->host->restore(&what, &r);
	if (err)
		return fail(a, meanings, err, r.why);
	if (a->json) {
		json_t *o = json_pack("{s:s,s:s,s:b}", "restore", "ok", "data_dir", a->data_dir,
				      "certificate", r.pair);

		print_json(o);
		json_decref(o);
	} else {
		printf("restore=ok data_dir=%s\n", a->data_dir);
	}
	restore_notes(a, &r);
	return EXIT_OK;
}

/* ---- reset ---- */

struct names {
	const struct cli_args *a;
	bool dry;
	json_t *list; /* NULL: they are printed */
};

static void take_name(void *arg, const char *path)
{
	struct names *n = arg;

	if (n->list)
		json_array_append_new(n->list, json_string(path));
	else
		printf("%s: %s\n", n->dry ? "would remove" : "removed", path);
}

int verb_reset(struct cli_args *a)
{
	static const struct meaning meanings[] = {{-EUCLEAN, EXIT_NO_DATABASE, "not_a_store"}, {0}};
	struct names n = {.a = a, .dry = !args_flag(a, "confirm")};
	char why[600] = "";
	int err;

	n.list = a->json ? json_array() : NULL;
	err = a->host->reset(a->data_dir, n.dry, take_name, &n, why, sizeof(why));
	if (!err && a->json) {
		json_t *o = json_pack("{s:b,s:O}", "dry_run", n.dry, "files", n.list);

		print_json(o);
		json_decref(o);
	} else if (!err && n.dry) {
		puts("dry-run: pass --confirm to proceed");
	}
	json_decref(n.list);
	return err ? fail(a, meanings, err, why) : EXIT_OK;
}

/* ---- audit prune ---- */

int verb_audit(struct cli_args *a)
{
	static const struct meaning meanings[] = {{-EINVAL, EXIT_INVALID, "invalid_time"},
						  {-ENOENT, EXIT_OTHER, "store_missing"},
						  {0}};
	const char *before = args_option(a, "before");
	bool dry = args_flag(a, "dry-run");
	unsigned long long n = 0;
	char why[600] = "";
	int err;

	if (strcmp(a->positional[0], "prune"))
		return usage_error(a, "unrecognized subcommand '%s'", a->positional[0]);
	if (!before)
		return usage_error(a, "'audit prune' needs '--before <TIME>'");
	err = a->host->audit_prune(a->data_dir, before, dry, &n, why, sizeof(why));
	if (err)
		return fail(a, meanings, err, why);
	if (a->json) {
		json_t *o = json_pack("{s:b,s:I}", "dry_run", dry, dry ? "would_delete" : "deleted",
				      (json_int_t)n);

		print_json(o);
		json_decref(o);
	} else if (dry) {
		printf("audit_prune dry_run=true would_delete=%llu\n", n);
	} else {
		printf("audit_prune deleted=%llu\n", n);
	}
	return EXIT_OK;
}
