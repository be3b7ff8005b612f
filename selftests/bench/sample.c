// SPDX-License-Identifier: MIT
/* One measured window: warm-up, counts, latencies, CPU time at both ends, and its JSON line. */
#include <stdlib.h>

#include "lib/base/clock.h"
#include "selftests/bench/load.h"

void sample_begin(struct sample *s, const struct load_options *opt)
{
	*s = (struct sample){.opt = opt};
	s->start_at = clock_mono_ns() + (uint64_t)(opt->warm_up * NS_PER_SEC);
	s->end_at = s->start_at + (uint64_t)(opt->seconds * NS_PER_SEC);
}

bool sample_goes_on(struct sample *s, uint64_t now_ns)
{
	if (s->measuring && now_ns >= s->end_at) {
		cpu_read(&s->till, s->opt->pids, s->opt->n_pids);
		s->measuring = false;
		return false;
	}
	if (!s->measuring && !s->from.wall_ns && now_ns >= s->start_at) {
		s->ops = s->bytes = s->errors = s->n_latency = 0;
		cpu_read(&s->from, s->opt->pids, s->opt->n_pids);
		s->end_at = s->from.wall_ns + (uint64_t)(s->opt->seconds * NS_PER_SEC);
		s->measuring = true;
	}
	return true;
}

void sample_latency(struct sample *s, uint64_t ns)
{
	if (s->n_latency == s->room) {
		size_t room = s->room ? s->room * 2 : 1 << 16;
		uint32_t *more = realloc(s->latency, room * sizeof(*more));

		if (!more)
			exit(die("latencies"));
		s->latency = more;
		s->room = room;
	}
	s->latency[s->n_latency++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double quantile_us(const struct sample *s, double q)
{
	return s->n_latency ? s->latency[(size_t)(q * (double)(s->n_latency - 1))] / 1e3 : 0;
}

int sample_print(struct sample *s)
{
	uint64_t wall = s->till.wall_ns - s->from.wall_ns;
	uint64_t idle = s->till.idle_ns - s->from.idle_ns;
	uint64_t all = wall * (uint64_t)cpu_online();

	if (!s->till.wall_ns) {
		fputs("load: ended before the window was over\n", stderr);
		free(s->latency);
		return 1;
	}
	if (s->n_latency)
		qsort(s->latency, s->n_latency, sizeof(*s->latency), by_value);
	printf("{\"seconds\":%.6f,\"ops\":%llu,\"bytes\":%llu,\"errors\":%llu,\"proxy_cpu\":%.6f,"
	       "\"machine_cpu\":%.6f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f}\n",
	       (double)wall / NS_PER_SEC, (unsigned long long)s->ops, (unsigned long long)s->bytes,
	       (unsigned long long)s->errors,
	       (double)(s->till.proxy_ns - s->from.proxy_ns) / NS_PER_SEC,
	       (double)(all > idle ? all - idle : 0) / NS_PER_SEC, quantile_us(s, 0.5),
	       quantile_us(s, 0.99), quantile_us(s, 0.999));
	free(s->latency);
	return 0;
}
