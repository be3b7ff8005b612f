// SPDX-License-Identifier: MIT
/* The figures of ports that route by server name, in Prometheus' text format. */
#include "api/routes/metrics_sni.h"

#include <stdio.h>

#include <event2/buffer.h>

#include "api/call/prometheus.h"
#include "server/fleet/model.h"
#include "server/fleet/sni.h"

/* Calls @row for each port that still has a rule with a pattern. */
static void each_port(struct prom_family *f, const struct fleet *fleet,
		      void (*row)(struct prom_family *f, const struct fleet_client *c,
				  const struct sni_figures *s, const char *port))
{
	size_t n;
	struct fleet_client *const *clients = fleet_clients(fleet, &n);
	char port[8];

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; !clients[i]->revoked_ms && k < clients[i]->n_sni; k++) {
			const struct sni_figures *s = &clients[i]->sni[k];

			if (!sni_is_port(clients[i], (uint16_t)s->port))
				continue;
			snprintf(port, sizeof(port), "%u", s->port);
			row(f, clients[i], s, port);
		}
}

static void put(struct prom_family *f, const struct fleet_client *c, const char *port, uint64_t n)
{
	prom_row(f, (const struct prom_label[]){{"client", c->name}, {"port", port}}, 2, (double)n);
}

static void missed(struct prom_family *f, const struct fleet_client *c, const struct sni_figures *s,
		   const char *port)
{
	put(f, c, port, s->missed);
}

static void failed(struct prom_family *f, const struct fleet_client *c, const struct sni_figures *s,
		   const char *port)
{
	put(f, c, port, s->failed);
}

static void rejected(struct prom_family *f, const struct fleet_client *c,
		     const struct sni_figures *s, const char *port)
{
	put(f, c, port, s->rejected);
}

static void peek_time(struct prom_family *f, const struct fleet_client *c,
		      const struct sni_figures *s, const char *port)
{
	const struct prom_label labels[] = {{"client", c->name}, {"port", port}};

	prom_buckets(f, labels, 2, sni_bounds, s->bucket, SNI_BUCKETS, s->n,
		     (double)s->took_us / 1e6);
}

void metrics_sni_ports(struct evbuffer *out, const struct fleet *fleet)
{
	const struct {
		struct prom_family f;
		void (*row)(struct prom_family *f, const struct fleet_client *c,
			    const struct sni_figures *s, const char *port);
	} families[] = {
		{{out, "portunus_tls_client_hello_peek_duration_seconds", "histogram",
		  "Time until a ClientHello was there, or it was clear that it would not come."},
		 peek_time},
		{{out, "portunus_tls_sni_listener_miss_total", "counter",
		  "Clients whose server name leads to no rule."},
		 missed},
		{{out, "portunus_tls_sni_listener_parse_failures_total", "counter",
		  "Clients that sent no ClientHello."},
		 failed},
		{{out, "portunus_tls_sni_listener_peek_rejected_total", "counter",
		  "Clients that were closed because too many had not sent a ClientHello yet."},
		 rejected},
	};

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		struct prom_family f = families[i].f;

		each_port(&f, fleet, families[i].row);
	}
}

void metrics_sni_routes(struct evbuffer *out, const struct fleet *fleet)
{
	struct prom_family f = {out, "portunus_tls_sni_routes_active", "gauge",
				"Active rules with a server name.", false};
	size_t n, active = 0;
	struct fleet_rule *const *rules = fleet_rules(fleet, &n);

	for (size_t i = 0; i < n; i++)
		active += rules[i]->state == FLEET_ACTIVE && rules[i]->rule->sni_pattern;
	prom_row(&f, NULL, 0, (double)active);
}
