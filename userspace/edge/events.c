// SPDX-License-Identifier: MIT
/* What happens while the edge runs: news of rules and the network, every second, signals, the end. */
#include "edge/events.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "edge/account/account.h"
#include "edge/control/control.h"
#include "edge/kernelrelay/kernelrelay.h"
#include "edge/program.h"
#include "edge/resolve/resolve.h"
#include "edge/rules/apply.h"
#include "edge/rules/ports.h"
#include "edge/rules/table.h"
#include "edge/watch/probe.h"
#include "lib/base/clock.h"
#include "lib/base/container_of.h"
#include "lib/base/log.h"
#include "lib/base/notify.h"
#include "lib/base/process.h"

#define DRAIN_POLL_MS 20
#define SYNC_DELAY_MS 10 /* changes that come together are taken up together */
/* Nobody may ask for weeks. The records that others look at by themselves, with bpftool, are then no
 * older than this, and those of former targets go. */
#define REFRESH_EVERY_MS 5000

static const struct timeval one_second = {.tv_sec = 1};
static const struct timeval sync_delay = {.tv_usec = SYNC_DELAY_MS * 1000};
static const struct timeval drain_poll = {.tv_usec = DRAIN_POLL_MS * 1000};

/* ---- rules ---- */

void program_rules_changed(void *arg, struct rule_state *rs)
{
	struct program *p = arg;

	if (!rs && !evtimer_pending(p->sync, NULL))
		evtimer_add(p->sync, &sync_delay);
	if (p->control)
		control_rules_news(p->control, rs);
}

static void on_sync(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	prober_sync(p->prober, p->table);
}

void program_health_changed(void *arg, struct rule_state *rs, struct target *t,
			    enum health_state to)
{
	struct program *p = arg;

	prober_health_changed(p->prober, t);
	if (p->control)
		control_health_news(p->control, rs);
}

/* ---- news from elsewhere ---- */

void program_network_changed(void *arg)
{
	struct program *p = arg;

	kernel_relay_network_changed(p->kernel);
	resolve_reload(p->resolver);
	prober_network_changed(p->prober);
	rule_table_retry_binds(p->table);
	if (p->control)
		control_network_changed(p->control);
}

void program_account_event(void *arg, uint64_t slot, int kind, int error)
{
	log_event(LOG_DEBUG,
		  kind == ACCOUNT_EVENT_RESET ? "kernel.connection_reset" : "kernel.connect_failed",
		  LOGF_UINT("slot", slot), LOGF_STR("error", strerror(error)));
}

static void on_account_news(evutil_socket_t fd, short what, void *arg)
{
	account_poll(arg);
}

void program_refreshed(struct refresh *r)
{
	struct program *p = container_of(r, struct program, regular);

	p->refreshing = false;
	p->refreshed_ns = clock_mono_ns();
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	uint64_t now = clock_mono_ns();

	loop_lag_tick(&p->lag, now);
	account_check(p->account);
	rule_table_housekeeping(p->table);
	if (!p->refreshing && now - p->refreshed_ns >= REFRESH_EVERY_MS * NS_PER_MS) {
		p->refreshing = true;
		refresher_ask(p->refresher, &p->regular);
	}
}

/* ---- the end ---- */

static void on_drain_poll(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	if (rule_table_connections(p->table) && clock_mono_ns() < p->drain_until_ns)
		return;
	event_base_loopbreak(p->base);
}

const char *program_status_line(const struct program *p, char *buf, size_t size)
{
	snprintf(buf, size, "%zu rules, %u connections, accounting %s", rule_table_size(p->table),
		 rule_table_connections(p->table), account_mode_text(p->account));
	return buf;
}

static void reload(struct program *p)
{
	notify_reloading();
	if (p->control)
		control_reload(p->control);
	else
		rulefile_reload(p->rulefile);
}

void program_reloaded(void *arg)
{
	char status[128];

	notify_ready(program_status_line(arg, status, sizeof(status)));
}

static void stop(struct program *p)
{
	char status[128];

	if (event_pending(p->drain, EV_TIMEOUT, NULL)) {
		/* Asked twice: at once. */
		event_base_loopbreak(p->base);
		return;
	}
	log_event(LOG_INFO, "edge.stopping",
		  LOGF_UINT("connections", rule_table_connections(p->table)),
		  LOGF_UINT("drain_secs", p->options.drain_secs));
	notify_stopping(program_status_line(p, status, sizeof(status)));
	/* First the channel, or a push would listen again. */
	if (p->control)
		control_stop(p->control);
	rule_table_stop_listening(p->table);
	p->drain_until_ns = clock_mono_ns() + p->options.drain_secs * NS_PER_SEC;
	event_add(p->drain, &drain_poll);
	on_drain_poll(-1, 0, p);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(arg);
		else
			stop(arg);
	}
}

static void on_alive(evutil_socket_t fd, short what, void *arg)
{
	notify_alive();
}

static struct event *add_event(struct program *p, int fd, short what, event_callback_fn fn,
			       void *arg, const struct timeval *tv)
{
	struct event *ev = event_new(p->base, fd, what, fn, arg);

	if (ev)
		event_add(ev, tv);
	return ev;
}

int program_add_events(struct program *p)
{
	const uint64_t alive_us = notify_alive_every_us();
	const struct timeval alive = {.tv_sec = (time_t)(alive_us / 1000000),
				      .tv_usec = (suseconds_t)(alive_us % 1000000)};

	if (alive_us)
		p->alive = add_event(p, -1, EV_PERSIST, on_alive, p, &alive);

	p->signal_fd = process_signal_fd();
	if (p->signal_fd < 0)
		return p->signal_fd;
	p->signals = add_event(p, p->signal_fd, EV_READ | EV_PERSIST, on_signal, p, NULL);
	p->every_second = add_event(p, -1, EV_PERSIST, on_second, p, &one_second);
	p->drain = event_new(p->base, -1, EV_PERSIST, on_drain_poll, p);
	p->sync = evtimer_new(p->base, on_sync, p);
	if (account_event_fd(p->account) >= 0)
		p->account_news = add_event(p, account_event_fd(p->account), EV_READ | EV_PERSIST,
					    on_account_news, p->account, NULL);
	return p->signals && p->every_second && p->drain && p->sync ? 0 : -ENOMEM;
}

void program_free_events(struct program *p)
{
	struct event *const all[] = {p->signals, p->account_news, p->every_second,
				     p->drain,	 p->alive,	  p->sync};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i])
			event_free(all[i]);
	if (p->signal_fd > 0)
		close(p->signal_fd);
}
