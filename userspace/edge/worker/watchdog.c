// SPDX-License-Identifier: MIT
/* A thread that notices when a worker stands still, and says what it was doing. */
#include "edge/worker/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/worker/worker.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"

#define LOOK_MS 500
/* So many looks without a sign of life are a stall. */
#define LOOKS_MAX 4

/* What is known of one worker. The thread's, but for what the job does on the worker. */
struct sign {
	struct job job;
	atomic_bool given; /* by the worker */
	struct worker *worker;
	unsigned looks; /* since it was asked for */
	uint64_t asked_ns;
};

struct watchdog {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	unsigned n;
	struct sign sign[];
};

static void on_asked(struct job *job)
{
	atomic_store(&container_of(job, struct sign, job)->given, true);
}

static void ask(struct sign *s, uint64_t now)
{
	s->looks = 0;
	s->asked_ns = now;
	atomic_store(&s->given, false);
	worker_post(s->worker, &s->job);
}

/* One line of /proc/self/task/TID/@file, "" where the kernel does not tell. */
static void task_file(pid_t tid, const char *file, char *line, size_t size)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/%s", (int)tid, file);
	f = fopen(path, "re");
	line[0] = '\0';
	if (!f)
		return;
	if (!fgets(line, (int)size, f))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(f);
}

/* wchan(5) names the kernel function that a sleeping thread is in, syscall(5) the call's number. */
static void say_stalled(struct sign *s, uint64_t now)
{
	struct worker *w = s->worker;
	char wchan[64], call[128];

	task_file(atomic_load(&w->tid), "wchan", wchan, sizeof(wchan));
	task_file(atomic_load(&w->tid), "syscall", call, sizeof(call));
	atomic_fetch_add(&w->stalls, 1);
	log_event(LOG_ERROR, "worker.stalled", LOGF_UINT("worker", w->config.index),
		  LOGF_UINT("ms", (now - s->asked_ns) / NS_PER_MS),
		  LOGF_STR("doing", loop_doing(&w->loop)), LOGF_STR("wchan", wchan),
		  LOGF_STR("syscall", call));
}

static void look(struct sign *s, uint64_t now)
{
	if (atomic_load(&s->given)) {
		if (s->looks >= LOOKS_MAX)
			log_event(LOG_WARN, "worker.resumed",
				  LOGF_UINT("worker", s->worker->config.index),
				  LOGF_UINT("ms", (now - s->asked_ns) / NS_PER_MS));
		ask(s, now);
	} else if (++s->looks == LOOKS_MAX) {
		say_stalled(s, now);
	}
}

/* Waits for the next look; false when the thread is to end. */
static bool wait_for_look(struct watchdog *d)
{
	struct timespec at;
	bool go_on;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += LOOK_MS * (long)NS_PER_MS;
	at.tv_sec += at.tv_nsec / (long)NS_PER_SEC;
	at.tv_nsec %= (long)NS_PER_SEC;
	pthread_mutex_lock(&d->lock);
	while (!d->stop && pthread_cond_timedwait(&d->wake, &d->lock, &at) == 0)
		;
	go_on = !d->stop;
	pthread_mutex_unlock(&d->lock);
	return go_on;
}

static void *run(void *arg)
{
	struct watchdog *d = arg;
	uint64_t before = clock_mono_ns();

	pthread_setname_np(pthread_self(), "watchdog");
	for (unsigned i = 0; i < d->n; i++)
		ask(&d->sign[i], before);
	while (wait_for_look(d)) {
		uint64_t now = clock_mono_ns();
		/* A process that was stopped as a whole has no stalled workers. */
		bool late = now - before > 2 * LOOK_MS * NS_PER_MS;

		for (unsigned i = 0; i < d->n && !late; i++)
			look(&d->sign[i], now);
		before = now;
	}
	return NULL;
}

struct watchdog *watchdog_start(struct worker *workers, unsigned n)
{
	struct watchdog *d = calloc(1, sizeof(*d) + n * sizeof(d->sign[0]));
	pthread_condattr_t attr;
	sigset_t all, before;

	if (!d)
		return NULL;
	d->n = n;
	for (unsigned i = 0; i < n; i++) {
		d->sign[i].worker = &workers[i];
		d->sign[i].job.run = on_asked;
	}
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->wake, &attr);
	pthread_condattr_destroy(&attr);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = pthread_create(&d->thread, NULL, run, d);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!errno)
		return d;
	pthread_cond_destroy(&d->wake);
	pthread_mutex_destroy(&d->lock);
	free(d);
	return NULL;
}

void watchdog_stop(struct watchdog *d)
{
	if (!d)
		return;
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	/* The last jobs may be in the mailboxes yet. */
	workers_barrier(d->n ? d->sign[0].worker : NULL, d->n);
	pthread_cond_destroy(&d->wake);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
