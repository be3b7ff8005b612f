/* SPDX-License-Identifier: MIT */
/* The privileged parent of `serve --edge`: starts the server half, and keeps an edge running beside it. */
#ifndef PORTUNUS_SERVER_RUN_SUPERVISOR_H
#define PORTUNUS_SERVER_RUN_SUPERVISOR_H

#include <stdbool.h>

/*
 * `serve --edge`: three processes. The one that was started stays root and does nothing but supervise:
 * the server half, its child under an unprivileged user, ends it by ending; the edge
 * (portunus-client, root, a session of its own) outlives both and is found again by the lock of its instance.
 */
struct supervisor_config {
	const char *data_dir;
	const char *user;     /* or NULL, see run_as_choose() */
	const char *program;  /* the edge's; NULL: beside this one, or in PATH */
	const char *instance; /* of the edge, "" for the default one */
	bool stop_edge;	      /* whether a stop of the server is one of the edge too */
	/*
	 * The server half, in its own process: serves until SIGTERM and returns the exit code. Once the bundle at
	 * @bundle_path is good it writes one byte, an enum local_edge_news, to @news_fd.
	 */
	int (*serve)(void *arg, const char *data_dir, const char *bundle_path, int news_fd);
	void *arg;
};

/* Returns the exit code: the server half's, or 128 and the signal that ended it. */
int supervisor_run(const struct supervisor_config *config);

#endif
