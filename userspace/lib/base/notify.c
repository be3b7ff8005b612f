// SPDX-License-Identifier: MIT
/* Readiness, reloads and signs of life for systemd. */
#include "lib/base/notify.h"

#include <systemd/sd-daemon.h>

#include "lib/base/clock.h"

void notify_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_reloading(void)
{
	/* The time is what Type=notify-reload wants (systemd 253); earlier versions ignore it. */
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)(clock_mono_ns() / NS_PER_US));
}

void notify_stopping(const char *status)
{
	sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status);
}

uint64_t notify_alive_every_us(void)
{
	uint64_t us;

	/* Half of the time after which the manager takes the process for dead. */
	return sd_watchdog_enabled(0, &us) > 0 ? us / 2 : 0;
}

void notify_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}
