/* SPDX-License-Identifier: MIT */
/* The answers of the local view, made piece by piece as the client takes them. */
#ifndef PORTUNUS_EDGE_STATUS_ANSWER_H
#define PORTUNUS_EDGE_STATUS_ANSWER_H

#include <stddef.h>

struct answers;
struct client;
struct status_config;

/* What answering needs. @config outlives it. NULL with errno set. Main thread, all of it. */
struct answers *answers_new(const struct status_config *config);
/* After client_list_end(): waits for the parts of answers that are with others. */
void answers_free(struct answers *a);

/* client_list.handle, whose arg is the struct answers. */
void answer_handle(struct client *c, const char *line, size_t len);

#endif
