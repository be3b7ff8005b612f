/* SPDX-License-Identifier: MIT */
/* A listening socket of the main loop, whose connections become clients of a list. */
#ifndef PORTUNUS_EDGE_STATUS_DOOR_H
#define PORTUNUS_EDGE_STATUS_DOOR_H

struct client_list;
struct event;

/* Main thread. */
struct door {
	int fd;
	struct event *listening, *resume;
	struct client_list *clients;
};

/* Accepts from @fd, a non-blocking listener that stays the caller's. Returns 0 or -ENOMEM. */
int door_open(struct door *d, int fd, struct client_list *clients);
void door_close(struct door *d);

#endif
