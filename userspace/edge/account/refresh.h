/* SPDX-License-Identifier: MIT */
/* Refreshes of the records of open connections: single-flight, at a bounded rate. */
#ifndef PORTUNUS_EDGE_ACCOUNT_REFRESH_H
#define PORTUNUS_EDGE_ACCOUNT_REFRESH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct account_collector;

/* The refreshes of the records: one at a time, and not too many. */
struct account_refreshes {
	/* Others bring records up to date here, before the sockets do. May be NULL. */
	void (*before)(void *arg);
	void *before_arg;
	struct account_collector *collector;
	int link_fd;	      /* of the `refresh` iterator; below 0 with the basic build */
	pthread_mutex_t lock; /* all below; never held while the kernel is asked */
	pthread_cond_t done;
	bool running;
	uint64_t due_ns;  /* when the next may begin */
	uint64_t done_ns; /* when the last that has ended began */
	int error;	  /* its result */
};

/* Without an iterator until r->link_fd is set. */
void account_refreshes_init(struct account_refreshes *r, struct account_collector *c);
void account_refreshes_free(struct account_refreshes *r);
/* account_refresh() is this. */
int account_refreshes_run(struct account_refreshes *r, uint64_t not_before_ns);

#endif
