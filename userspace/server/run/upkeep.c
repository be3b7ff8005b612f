// SPDX-License-Identifier: MIT
/* What verbs do on the data directory itself: copies, the way back, pruning. */
#include "server/run/upkeep.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "api/call/decode_time.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/utf8.h"
#include "server/backup/make.h"
#include "server/backup/restore.h"
#include "server/run/direct.h"
#include "server/run/privilege.h"
#include "server/run/settings.h"
#include "server/store/store.h"

/* The verb's own output is enough; what goes wrong is in its error. */
static void begin(char *why)
{
	log_init("portunus_server", "error");
	why[0] = '\0';
}

/* ---- backup ---- */

static int find_pair(const char *data_dir, char cert[PATH_MAX], char key[PATH_MAX], char *why,
		     size_t why_size)
{
	struct settings s;
	int err = settings_read(data_dir, &s, why, why_size);

	if (err)
		return err == -EINVAL ? -EIO : err;
	snprintf(cert, PATH_MAX, "%s", s.tls_cert_path);
	snprintf(key, PATH_MAX, "%s", s.tls_key_path);
	settings_free(&s);
	return 0;
}

int backup(const struct cli_backup *what, char *path, char *why, size_t why_size)
{
	begin(why);
	if (!has_store(what->data_dir)) {
		utf8_format(why, why_size, "there is no store in %s", what->data_dir);
		return -ENOENT;
	}
	return backup_make(&(struct backup_order){.data_dir = what->data_dir,
						  .out = what->out,
						  .full = what->full,
						  .keep = what->keep},
			   find_pair, path, why, why_size);
}

/* ---- restore ---- */

/* Where the settings that will be in force want the pair, if that is not where it was restored to. */
static void pair_elsewhere(const struct restore *r, const char *data_dir, struct cli_restored *out)
{
	char dir[PATH_MAX], own[PATH_MAX], ignored[600];
	struct settings s;

	if (!r->pair ||
	    snprintf(own, sizeof(own), "%s/" RESTORE_STAGED, data_dir) >= (int)sizeof(own))
		return;
	snprintf(dir, sizeof(dir), "%s", r->settings ? own : data_dir);
	if (settings_read(dir, &s, ignored, sizeof(ignored)))
		return;
	if (snprintf(own, sizeof(own), "%s/server.crt", dir) < (int)sizeof(own) &&
	    strcmp(own, s.tls_cert_path) != 0) {
		snprintf(out->cert, sizeof(out->cert), "%s", s.tls_cert_path);
		snprintf(out->key, sizeof(out->key), "%s", s.tls_key_path);
	}
	settings_free(&s);
}

static int put_back(struct restore *r, const struct cli_restore *what, struct cli_restored *out)
{
	int err = restore_prepare(r, what->data_dir, what->force);

	/* That the backup is not there has been seen before. */
	if (err == -ENOENT || err == -ENOTDIR)
		return -EIO;
	if (!err)
		pair_elsewhere(r, what->data_dir, out);
	return err ? err : restore_commit(r);
}

int restore(const struct cli_restore *what, struct cli_restored *out)
{
	struct restore r;
	int err;

	*out = (struct cli_restored){.full = false};
	begin(out->why);
	/* Root may read what the server's user may not. */
	err = restore_open(&r, what->in);
	if (!err && run_as_owner(what->data_dir, CLI_UNIT_DIR, r.why, sizeof(r.why)))
		err = -EIO;
	if (!err)
		err = put_back(&r, what, out);
	restore_end(&r);
	out->full = r.full;
	out->pair = r.pair;
	utf8_format(out->why, sizeof(out->why), "%s", r.why);
	return err;
}

/* ---- reset ---- */

int reset(const char *data_dir, bool dry, cli_name each, void *arg, char *why, size_t why_size)
{
	int err;

	begin(why);
	if (!has_store(data_dir))
		return 0;
	err = run_as_owner(data_dir, CLI_UNIT_DIR, why, why_size);
	return err ? err : reset_store(data_dir, dry, each, arg, why, why_size);
}

/* ---- audit prune ---- */

/* What is removed leaves a row that says so. */
static int drop_rows(struct store *s, uint64_t before_ms, const char *before, uint64_t *n)
{
	struct store_tx *tx = store_begin(s);

	store_audit_drop(tx, before_ms, n);
	store_audit_add(tx,
			&(struct store_audit){.at_ms = clock_wall_ms(),
					      .actor = "_local",
					      .role = "superadmin",
					      .scope = "admin",
					      .method = "DELETE",
					      .path = "/v1/audit",
					      .outcome = "allow",
					      .action = "audit.prune",
					      .resource_kind = "before",
					      .resource_value = before},
			NULL);
	return store_commit_wait(tx);
}

int audit_prune(const char *data_dir, const char *before, bool dry, unsigned long long *n,
		char *why, size_t why_size)
{
	struct store *s;
	uint64_t before_ms, rows = 0;
	int err;

	begin(why);
	if (!decode_time(before, &before_ms) || strchr(before, ' ')) {
		utf8_format(why, why_size, "'%s' is no time, like 2027-01-31T00:00:00Z", before);
		return -EINVAL;
	}
	if (!has_store(data_dir)) {
		utf8_format(why, why_size, "there is no store in %s", data_dir);
		return -ENOENT;
	}
	if (run_as_owner(data_dir, CLI_UNIT_DIR, why, why_size))
		return -EIO;
	err = store_open(data_dir, &s, why, why_size);
	if (err)
		return err == -EINVAL || err == -ENOENT ? -EIO : err;
	err = dry ? store_audit_older(s, before_ms, &rows) : drop_rows(s, before_ms, before, &rows);
	if (err)
		utf8_format(why, why_size, "%s (%s)", store_advice(err), store_message(s));
	*n = rows;
	store_close(s);
	return err;
}
