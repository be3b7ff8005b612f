// SPDX-License-Identifier: MIT
/* The edge as a process: which program, how it is started, how it is recognised. */
#include "server/run/edge_process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/atomic_file.h"

#define PROGRAM	    "portunus-client"
#define CMDLINE_MAX (256 << 10)

static bool is_program(const char *path)
{
	return !access(path, X_OK);
}

static bool beside_us(char path[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return false;
	self[n] = '\0';
	slash = strrchr(self, '/');
	return slash &&
	       snprintf(path, PATH_MAX, "%.*s/" PROGRAM, (int)(slash - self), self) < PATH_MAX &&
	       is_program(path);
}

static bool in_path(char path[PATH_MAX])
{
	const char *dirs = getenv("PATH");

	while (dirs && *dirs) {
		size_t n = strcspn(dirs, ":");

		/* Relative ones would mean another program after a change of directory. */
		if (*dirs == '/' &&
		    snprintf(path, PATH_MAX, "%.*s/" PROGRAM, (int)n, dirs) < PATH_MAX &&
		    is_program(path))
			return true;
		dirs += n + (dirs[n] == ':');
	}
	return false;
}

int edge_process_find(const char *path, struct edge_program *out, char *why, size_t why_size)
{
	if (path && (!realpath(path, out->path) || !is_program(out->path))) {
		int err = -errno;

		snprintf(why, why_size, "--edge-program %s: %s", path, strerror(-err));
		return err;
	}
	if (!path && !beside_us(out->path) && !in_path(out->path)) {
		snprintf(why, why_size,
			 PROGRAM " is neither beside this program nor in PATH; say where it is "
				 "with --edge-program");
		return -ENOENT;
	}
	return 0;
}

/* In the child; does not return. */
static void be_edge(const char *program, const char *bundle, const char *instance,
		    const sigset_t *mask)
{
	char *argv[EDGE_OPTIONS_MAX + 6] = {(char *)PROGRAM, "--bundle", (char *)bundle};
	const char *options = getenv(EDGE_OPTIONS_ENV);
	char *rest = options ? strdup(options) : NULL, *word;
	int n = 3, null = open("/dev/null", O_RDWR);

	if (*instance) {
		argv[n++] = "--instance";
		argv[n++] = (char *)instance;
	}
	while (rest && n < EDGE_OPTIONS_MAX + 5 && (word = strsep(&rest, " \t\n")))
		if (*word)
			argv[n++] = word;
	/* Neither the terminal's Ctrl-C nor its end is the edge's. */
	setsid();
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (!chdir("/"))
		execv(program, argv);
	fprintf(stderr, "error: %s: %s\n", program, strerror(errno));
	_exit(127);
}

pid_t edge_process_start(const struct edge_program *program, const char *bundle,
			 const char *instance, const sigset_t *mask)
{
	pid_t pid = fork();

	if (!pid)
		be_edge(program->path, bundle, instance, mask);
	return pid < 0 ? -errno : pid;
}

bool edge_process_is_ours(pid_t pid, const char *bundle)
{
	char path[64], *text;
	bool ours = false;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	if (file_read(path, CMDLINE_MAX, &text, &len))
		return false;
	for (const char *arg = text; arg < text + len && !ours; arg += strlen(arg) + 1)
		ours = !strcmp(arg, bundle);
	free(text);
	return ours;
}
