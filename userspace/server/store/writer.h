/* SPDX-License-Identifier: MIT */
/* Carries transactions out, in a thread of its own or when it is waited for. */
#ifndef PORTUNUS_SERVER_STORE_WRITER_H
#define PORTUNUS_SERVER_STORE_WRITER_H

#include <pthread.h>
#include <stdbool.h>

#include "server/store/tx.h"

struct event;
struct event_base;

STAILQ_HEAD(tx_list, store_tx);

/*
 * A line of transactions. Whoever commits, the loop's thread, puts them in; they are carried out in that
 * order, those that wait together in one transaction of the database with one sync, and what became of
 * each is told in the loop's thread, in the same order.
 */
struct writer {
	struct tx_place *place;				       /* the thread's while there is one */
	void (*outcome)(void *arg, const struct store_tx *tx); /* told first, of each */
	void *outcome_arg;
	bool threaded;
	pthread_t thread;
	struct event *told; /* of the loop */
	int told_fd;
	unsigned out; /* committed and not told yet; the loop's thread alone */
	/* Of both threads, under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t work, news;
	struct tx_list queue, done;
	bool stop;
};

void writer_init(struct writer *w, struct tx_place *place,
		 void (*outcome)(void *arg, const struct store_tx *tx), void *arg);
/* Starts the thread; what becomes of transactions is told by an event of @base. 0 or -errno. */
int writer_start(struct writer *w, struct event_base *base);
/* Carries out what is in the line, and ends the thread. Nothing is told any more. */
void writer_stop(struct writer *w);
void writer_put(struct writer *w, struct store_tx *tx);
/* Waits until all in the line has been carried out and told. */
void writer_settle(struct writer *w);

#endif
