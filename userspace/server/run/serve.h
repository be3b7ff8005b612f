/* SPDX-License-Identifier: MIT */
/* The server that serves: its listeners, its signals, its life. */
#ifndef PORTUNUS_SERVER_RUN_SERVE_H
#define PORTUNUS_SERVER_RUN_SERVE_H

struct cli_serve;

/* The verb serve: listens until a signal ends it. Returns the exit code. */
int serve(const struct cli_serve *what);

#endif
