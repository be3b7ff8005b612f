/* SPDX-License-Identifier: MIT */
/* Becoming a server's edge: redeeming a one-time code, and finding the bundle that came of it. */
#ifndef PORTUNUS_EDGE_CONTROL_ENROLL_H
#define PORTUNUS_EDGE_CONTROL_ENROLL_H

#include <stddef.h>

#include "lib/tls/bundle.h"

#define ENROLL_ERROR_SIZE 512

struct enroll_uri;

/*
 * Redeems a one-time code: connects to the server, accepts it by the URI's pin alone, and takes the
 * bundle it answers with. Runs a loop of its own for up to 30 s. Returns 0 or -errno with @why in
 * words. Main thread, before or without any other loop.
 */
int enroll_redeem(const struct enroll_uri *uri, struct bundle *out, char why[ENROLL_ERROR_SIZE]);

/*
 * Finds and reads this edge's bundle: where @option (--bundle, may be NULL) and the environment say,
 * in the contract's order. With no file there and PORTUNUS_ENROLL_URI set, enrolls first. Returns 0
 * with the path it has, or -errno when the reason is on stderr already.
 */
int enroll_find_bundle(const char *option, struct bundle *out, char path[4096]);

/*
 * `portunus-client enroll URI [--out PATH]`: redeems, writes the bundle and prints where it is. @out
 * may be NULL. Returns the exit status; errors are on stderr.
 */
int enroll_with(const char *uri, const char *out);

#endif
