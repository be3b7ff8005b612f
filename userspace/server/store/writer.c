// SPDX-License-Identifier: MIT
/* Carries transactions out, in a thread of its own or when it is waited for. */
#include "server/store/writer.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "server/store/ids.h"

/* Those that share a transaction of the database: one sync for all who wait. */
#define GROUP_MAX 64

/* ---- carrying out ---- */

static void failed(struct store_tx *tx, struct tx_place *p, int err)
{
	tx->err = err;
	strcpy(tx->message, p->db.message);
	/* What it had added is taken back. */
	p->audit_counted = false;
}

static void fail_all(struct tx_list *group, struct tx_place *p, int err)
{
	struct store_tx *tx;

	STAILQ_FOREACH (tx, group, next)
		failed(tx, p, err);
}

static void carry_out_alone(struct store_tx *tx, struct tx_place *p)
{
	/* One without steps only tells that those before it are done with. */
	int err = STAILQ_EMPTY(&tx->steps) ? 0 : db_begin(&p->db);

	tx->err = 0;
	if (!err && !STAILQ_EMPTY(&tx->steps)) {
		err = tx_run(tx, p);
		if (err)
			db_rollback(&p->db);
		else
			err = db_commit(&p->db);
	}
	if (err)
		failed(tx, p, err);
}

/* One of several, which goes wrong without the others. Returns false when SQLite has taken back all of them. */
static bool carry_out_beside(struct store_tx *tx, struct tx_place *p)
{
	int err = db_exec(&p->db, "SAVEPOINT one");

	tx->err = 0;
	if (!err)
		err = tx_run(tx, p);
	if (err)
		failed(tx, p, err);
	if (sqlite3_get_autocommit(p->db.handle))
		return false;
	if (err && db_exec(&p->db, "ROLLBACK TO one"))
		return false;
	return !db_exec(&p->db, "RELEASE one");
}

static bool carry_out_together(struct tx_list *group, struct tx_place *p)
{
	struct store_tx *tx;
	bool good = true;

	STAILQ_FOREACH (tx, group, next)
		good = good && carry_out_beside(tx, p);
	if (good && !db_commit(&p->db))
		return true;
	if (!good)
		db_rollback(&p->db);
	/* All that was added is taken back, and is added once more. */
	p->audit_counted = false;
	return false;
}

/* What is wrong with one, like its size, is not to be the others' fate. */
static void carry_out_singly(struct tx_list *group, struct tx_place *p)
{
	struct store_tx *tx;

	STAILQ_FOREACH (tx, group, next)
		carry_out_alone(tx, p);
}

static void note_ids(const struct tx_list *group, struct tx_place *p)
{
	const struct store_tx *tx;

	STAILQ_FOREACH (tx, group, next)
		if (!tx->err && tx->given_id)
			ids_given(p, tx->given_id);
}

static void carry_out(struct tx_list *group, struct tx_place *p)
{
	struct store_tx *tx = STAILQ_FIRST(group);
	int err;

	if (!STAILQ_NEXT(tx, next)) {
		carry_out_alone(tx, p);
	} else {
		err = db_begin(&p->db);
		if (err)
			fail_all(group, p, err);
		else if (!carry_out_together(group, p))
			carry_out_singly(group, p);
	}
	note_ids(group, p);
}

/* ---- the line ---- */

/* With the lock. */
static void take_group(struct writer *w, struct tx_list *group)
{
	struct store_tx *tx;

	STAILQ_INIT(group);
	for (int n = 0; n < GROUP_MAX && (tx = STAILQ_FIRST(&w->queue)); n++) {
		STAILQ_REMOVE_HEAD(&w->queue, next);
		STAILQ_INSERT_TAIL(group, tx, next);
	}
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	const uint64_t one = 1;
	struct tx_list group;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (STAILQ_EMPTY(&w->queue) && !w->stop)
			pthread_cond_wait(&w->work, &w->lock);
		if (STAILQ_EMPTY(&w->queue))
			break;
		take_group(w, &group);
		pthread_mutex_unlock(&w->lock);
		carry_out(&group, w->place);
		pthread_mutex_lock(&w->lock);
		STAILQ_CONCAT(&w->done, &group);
		pthread_cond_signal(&w->news);
		/* A counter that is full wakes the loop as well. */
		if (write(w->told_fd, &one, sizeof(one)) < 0)
			continue;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- what is told ---- */

static void tell(struct writer *w, struct store_tx *tx)
{
	w->outcome(w->outcome_arg, tx);
	if (tx->beside)
		tx->beside(tx->beside_arg, tx->err);
	if (tx->done)
		tx->done(tx->arg, tx->err);
	tx_free(tx);
}

static struct store_tx *take_done(struct writer *w)
{
	struct store_tx *tx;

	pthread_mutex_lock(&w->lock);
	tx = STAILQ_FIRST(&w->done);
	if (tx)
		STAILQ_REMOVE_HEAD(&w->done, next);
	pthread_mutex_unlock(&w->lock);
	return tx;
}

/* One at a time: whoever is told may settle the rest. */
static void tell_done(struct writer *w)
{
	struct store_tx *tx;

	while ((tx = take_done(w))) {
		w->out--;
		tell(w, tx);
	}
}

static void on_told(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) == sizeof(n))
		tell_done(arg);
}

void writer_put(struct writer *w, struct store_tx *tx)
{
	w->out++;
	pthread_mutex_lock(&w->lock);
	STAILQ_INSERT_TAIL(&w->queue, tx, next);
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

/* Carries out some, or waits for the thread to have done so. */
static void next_group(struct writer *w)
{
	struct tx_list group;

	pthread_mutex_lock(&w->lock);
	while (w->threaded && STAILQ_EMPTY(&w->done))
		pthread_cond_wait(&w->news, &w->lock);
	if (STAILQ_EMPTY(&w->done)) {
		take_group(w, &group);
		carry_out(&group, w->place);
		STAILQ_CONCAT(&w->done, &group);
	}
	pthread_mutex_unlock(&w->lock);
}

void writer_settle(struct writer *w)
{
	while (w->out) {
		next_group(w);
		tell_done(w);
	}
}

/* ---- life ---- */

void writer_init(struct writer *w, struct tx_place *place,
		 void (*outcome)(void *arg, const struct store_tx *tx), void *arg)
{
	w->place = place;
	w->outcome = outcome;
	w->outcome_arg = arg;
	w->told_fd = -1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	pthread_cond_init(&w->news, NULL);
	STAILQ_INIT(&w->queue);
	STAILQ_INIT(&w->done);
}

int writer_start(struct writer *w, struct event_base *base)
{
	sigset_t all, before;
	int err;

	w->told_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->told_fd < 0)
		return -errno;
	w->told = event_new(base, w->told_fd, EV_READ | EV_PERSIST, on_told, w);
	if (!w->told || event_add(w->told, NULL))
		return -ENOMEM;
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->thread, NULL, writer_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->threaded = !err;
	if (!err)
		pthread_setname_np(w->thread, "store");
	return -err;
}

void writer_stop(struct writer *w)
{
	struct store_tx *tx;

	struct tx_list group;

	while (!w->threaded && !STAILQ_EMPTY(&w->queue)) {
		take_group(w, &group);
		carry_out(&group, w->place);
		STAILQ_CONCAT(&w->done, &group);
	}
	if (w->threaded) {
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		pthread_cond_signal(&w->work);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
		w->threaded = false;
	}
	if (w->told)
		event_free(w->told);
	w->told = NULL;
	if (w->told_fd >= 0)
		close(w->told_fd);
	w->told_fd = -1;
	while ((tx = STAILQ_FIRST(&w->done))) {
		STAILQ_REMOVE_HEAD(&w->done, next);
		tx_free(tx);
	}
}
