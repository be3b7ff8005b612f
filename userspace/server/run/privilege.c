// SPDX-License-Identifier: MIT
/* From root to an unprivileged user, and a data directory that fits. */
#include "server/run/privilege.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/atomic_file.h"

static void fill(struct run_as *out, const struct passwd *pw)
{
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	snprintf(out->name, sizeof(out->name), "%s", pw->pw_name);
}

/* A uid needs no entry in the user database; its group is then the one of the same number. */
static void find_uid(uid_t uid, gid_t gid, struct run_as *out)
{
	const struct passwd *pw = getpwuid(uid);

	if (pw) {
		fill(out, pw);
	} else {
		out->uid = uid;
		out->gid = gid;
		snprintf(out->name, sizeof(out->name), "%u", (unsigned)uid);
	}
}

static bool find_user(const char *user, struct run_as *out)
{
	const struct passwd *pw = getpwnam(user);
	char *end;
	unsigned long n;

	if (pw) {
		fill(out, pw);
		return true;
	}
	errno = 0;
	n = strtoul(user, &end, 10);
	if (*user < '0' || *user > '9' || *end || errno || n >= UINT_MAX)
		return false;
	find_uid((uid_t)n, (gid_t)n, out);
	return true;
}

int run_as_choose(const char *user, const char *data_dir, struct run_as *out, char *why,
		  size_t why_size)
{
	struct stat st;
	bool found = true;

	if (user)
		found = find_user(user, out);
	else if (!stat(data_dir, &st) && st.st_uid)
		find_uid(st.st_uid, st.st_gid, out);
	else
		found = find_user(SERVER_USER, out) || find_user("nobody", out);
	if (!found) {
		snprintf(why, why_size, "there is no user '%s'; choose another with --user",
			 user ? user : "nobody");
		return -ENOENT;
	}
	if (!out->uid || !out->gid) {
		snprintf(why, why_size,
			 "--user %s: the server half is never root's; choose an unprivileged user",
			 out->name);
		return -EINVAL;
	}
	return 0;
}

static const char *const own_files[] = {
	"state.db",	      "state.db-wal",	  "state.db-shm",    "state.db.lock",
	"state.db.ids",	      "server.toml",	  "server.crt",	     "server.key",
	".portunus-autocert", "edge.bundle.json", "server.crt.next", "server.key.next",
	"server.crt.old",     "server.key.old",
};

static bool is_empty(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	bool empty = d != NULL;

	while (d && empty && (e = readdir(d)))
		empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	return empty;
}

/* A mistyped path, like /etc, must not change its owner. */
static bool is_data_dir(int dir)
{
	return !faccessat(dir, "state.db", F_OK, AT_SYMLINK_NOFOLLOW) ||
	       !faccessat(dir, "server.toml", F_OK, AT_SYMLINK_NOFOLLOW) || is_empty(dir);
}

/* In a directory that only root can write: nobody can put another file under the name meanwhile. */
static int give_file(const struct run_as *who, int dir, const char *name)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), err = 0;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (S_ISREG(st.st_mode) && st.st_nlink == 1 && !st.st_uid &&
		 fchownat(fd, "", who->uid, who->gid, AT_EMPTY_PATH))
		err = -errno;
	close(fd);
	return err;
}

static int give_dir(const struct run_as *who, int dir, const char *path, char *why, size_t why_size)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(own_files) / sizeof(own_files[0]) && !err; i++)
		err = give_file(who, dir, own_files[i]);
	/* Last, so that what was broken off here is taken up again by the next start. */
	if (!err && (fchown(dir, who->uid, who->gid) || fchmod(dir, 0700)))
		err = -errno;
	if (err)
		snprintf(why, why_size, "cannot hand %s over to %s: %s", path, who->name,
			 strerror(-err));
	return err;
}

static int check_owner(const struct run_as *who, int dir, const char *path, char *why,
		       size_t why_size)
{
	struct stat st;

	if (fstat(dir, &st))
		return -errno;
	if (st.st_uid == who->uid)
		return 0;
	if (st.st_uid) {
		snprintf(why, why_size,
			 "the data directory %s belongs to uid %u, not to %s: use --user %u, or "
			 "chown -R it while no server runs",
			 path, (unsigned)st.st_uid, who->name, (unsigned)st.st_uid);
		return -EPERM;
	}
	if ((st.st_mode & 022) || !is_data_dir(dir)) {
		snprintf(why, why_size,
			 "%s is root's and %s: choose a directory of the server's own with "
			 "--data-dir",
			 path,
			 st.st_mode & 022 ? "can be written by others"
					  : "holds other things than a server's state");
		return -EPERM;
	}
	return give_dir(who, dir, path, why, why_size);
}

int run_as_own(const struct run_as *who, const char *data_dir, char *path, char *why,
	       size_t why_size)
{
	int err = file_make_parents(data_dir, 0755), dir;

	if (!err && mkdir(data_dir, 0700) && errno != EEXIST)
		err = -errno;
	if (!err && !realpath(data_dir, path))
		err = -errno;
	dir = err ? err : open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0) {
		err = err ? err : -errno;
		snprintf(why, why_size, "cannot make the data directory %s: %s", data_dir,
			 strerror(-err));
		return err;
	}
	err = check_owner(who, dir, path, why, why_size);
	close(dir);
	return err;
}

/* What a server needs of root's environment. The rest may be root's secrets. */
static bool needed(const char *entry)
{
	static const char *const names[] = {"LANG=",	      "LC_",	   "TZ=",      "RUST_LOG=",
					    "NOTIFY_SOCKET=", "WATCHDOG_", "PORTUNUS_"};

	if (!strncmp(entry, "PORTUNUS_OPERATOR_TOKEN=", strlen("PORTUNUS_OPERATOR_TOKEN=")))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(entry, names[i], strlen(names[i])))
			return true;
	return false;
}

/* Also from the memory that /proc/PID/environ shows, which unsetenv() leaves as it is. */
static void wipe_environment(void)
{
	char **kept = environ;

	for (char **entry = environ; *entry; entry++)
		if (needed(*entry))
			*kept++ = *entry;
		else
			explicit_bzero(*entry, strlen(*entry));
	*kept = NULL;
}

int run_as_become(const struct run_as *who, const char *data_dir, char *why, size_t why_size)
{
	if (setgroups(0, NULL) || setresgid(who->gid, who->gid, who->gid) ||
	    setresuid(who->uid, who->uid, who->uid) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
		int err = -errno;

		snprintf(why, why_size, "cannot become %s: %s", who->name, strerror(-err));
		return err;
	}
	wipe_environment();
	/*
	 * Other processes of the user, of whom nobody has many, may not trace this one, nor read its
	 * memory. Its own /proc/self/fd stays open to it (proc_fd_permission() of the kernel).
	 */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (access(data_dir, R_OK | W_OK | X_OK)) {
		int err = -errno;

		snprintf(why, why_size,
			 "user %s cannot reach the data directory %s (%s): choose another with "
			 "--data-dir",
			 who->name, data_dir, strerror(-err));
		return err;
	}
	return 0;
}

int run_as_owner(const char *data_dir, const char *unit_dir, char *why, size_t why_size)
{
	char path[PATH_MAX];
	struct run_as who;
	struct stat st;
	int err;

	if (geteuid())
		return 0;
	if (!stat(data_dir, &st) ? !st.st_uid : strcmp(data_dir, unit_dir) != 0)
		return 0;
	err = run_as_choose(NULL, data_dir, &who, why, why_size);
	if (!err)
		err = run_as_own(&who, data_dir, path, why, why_size);
	return err ? err : run_as_become(&who, path, why, why_size);
}
