// SPDX-License-Identifier: MIT
/*
 * What an edge may say, and what an old store may hold, in every answer that shows it. Byte 0 says
 * what the rule's outcome is, bytes 1 to 8 are where numbers begin, the rest is texts with a 0 between:
 * names, version, accounting mode, reason. Each answer has to be a success, its JSON whole or its
 * metrics UTF-8, whatever the texts are.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <event2/event.h>
#include <jansson.h>

#include "api/api.h"
#include "api/local.h"
#include "lib/base/log.h"
#include "lib/base/utf8.h"
#include "lib/wire/capability.h"
#include "selftests/fuzz/memory_store.h"
#include "server/access/audit.h"

#define TEXTS 8

/* Only while the process lives: libFuzzer gives no other place to keep it. */
static struct rig {
	struct event_base *base;
	struct store *store;
	int changes;
	struct fleet *fleet;
	struct session *session;
} rig;

/* ---- an edge that is asked for nothing ---- */

static int ignore_rule(void *link, const char *request_id, const struct rule *rule)
{
	return 0;
}

static int ignore_stats(void *link, uint64_t serial, bool per_port, const uint64_t *rule_ids,
			size_t n)
{
	return 0;
}

static int ignore_replayed(void *link, uint32_t count)
{
	return 0;
}

static void edge_close(void *link, const char *reason)
{
	((struct rig *)link)->session = NULL;
}

static const struct fleet_link_ops edge_ops = {
	.push = ignore_rule,
	.remove = ignore_rule,
	.stats_request = ignore_stats,
	.replay_done = ignore_replayed,
	.close = edge_close,
};

/* ---- what it says ---- */

struct words {
	char *text[TEXTS]; /* "" where there are none left */
	uint8_t outcome;
	uint64_t number;
};

static char *split(const uint8_t *data, size_t size, struct words *w)
{
	char *copy = malloc(size + 1), *p = copy;

	memcpy(copy, data, size);
	copy[size] = '\0';
	for (int i = 0; i < TEXTS; i++) {
		w->text[i] = p <= copy + size ? p : copy + size;
		p += strlen(w->text[i]) + (p < copy + size);
		if (p < copy + size && !*p)
			p++;
	}
	return copy;
}

/* A number near the input's, of every size and sign. */
static uint64_t number(const struct words *w, unsigned i)
{
	return i % 3 ? w->number * (2 * i + 1) >> (i % 64) : UINT64_MAX - w->number;
}

static void report(struct rig *g, const struct words *w)
{
	struct rule_figures *r = calloc(1, sizeof(*r) + 3 * sizeof(r->targets[0]));
	uint64_t *all = (uint64_t *)&r->kernel;

	r->rule_id = 1;
	r->bytes_in = number(w, 1);
	r->bytes_out = number(w, 3);
	r->active_connections = (uint32_t)number(w, 4);
	r->failovers = number(w, 5);
	r->has_kernel = w->outcome & 8;
	for (size_t i = 1; i < sizeof(r->kernel) / sizeof(*all); i++)
		all[i] = number(w, (unsigned)i);
	r->n_targets = 3;
	for (unsigned i = 0; i < 3; i++)
		r->targets[i] = (struct target_figures){.index = i == 2 ? (uint32_t)w->number : i,
							.failed = w->outcome >> i & 1,
							.last_failure_ms = number(w, i),
							.last_success_ms = number(w, i + 1),
							.health_since_ms = number(w, i + 2),
							.bytes_in = number(w, i + 3),
							.has_kernel = true};
	fleet_session_report(g->session, w->number, number(w, 7) | 1,
			     (const struct rule_figures *const *)&r, 1);
	free(r);
}

static void speak(struct rig *g, const struct words *w)
{
	char version[300], accounting[300];
	const char *can[] = {CAPABILITY_RULE_UPDATE, version, accounting, w->text[5]};

	snprintf(version, sizeof(version), "version=%s", w->text[2]);
	snprintf(accounting, sizeof(accounting), "accounting=%s", w->text[3]);
	g->session = fleet_session_begin(g->fleet, fleet_client(g->fleet, CLIENT), &edge_ops, g,
					 w->text[6]);
	fleet_session_hello(g->session, &(struct fleet_hello){.client_version = w->text[1],
							      .capabilities = can,
							      .n_capabilities = 4});
	if (g->session)
		report(g, w);
	if (g->session)
		fleet_session_status(g->session, "replay-1", 1,
				     w->outcome & 1 ? FLEET_REFUSED : FLEET_ACTIVATED, w->text[4]);
	if (g->session)
		fleet_session_accounting(g->session, w->text[3]);
}

/* What a store of another version may hold. */
static void store_words(struct rig *g, const struct words *w)
{
	sqlite3_stmt *q;

	never(sqlite3_prepare_v2(g->store->place.db.handle,
				 "UPDATE main.clients SET name = ?, address = ?", -1, &q, NULL));
	sqlite3_bind_text(q, 1, w->text[0], -1, SQLITE_STATIC);
	sqlite3_bind_text(q, 2, w->text[7], -1, SQLITE_STATIC);
	never(sqlite3_step(q) != SQLITE_DONE);
	sqlite3_finalize(q);
	never(sqlite3_prepare_v2(g->store->place.db.handle,
				 "UPDATE main.rules SET owner = ?, reason = ?, state = ?", -1, &q,
				 NULL));
	sqlite3_bind_text(q, 1, w->text[5], -1, SQLITE_STATIC);
	sqlite3_bind_text(q, 2, w->text[4], -1, SQLITE_STATIC);
	sqlite3_bind_int(q, 3, w->outcome & 2 ? FLEET_FAILED : FLEET_ACTIVE);
	never(sqlite3_step(q) != SQLITE_DONE);
	sqlite3_finalize(q);
}

/* ---- the answers ---- */

static void check(void *arg, const struct api_answer *a)
{
	const char *path = arg;
	json_t *o;

	never(a->status != 200 && a->status != 201);
	if (strstr(path, "metrics")) {
		never(!utf8_valid(a->body, a->len));
		return;
	}
	o = json_loadb(a->body, a->len, JSON_REJECT_DUPLICATES, NULL);
	never(!o);
	never(!strcmp(path, "/v1/rules") && json_array_size(o) != 1);
	json_decref(o);
}

static void ask_for_everything(struct api *api)
{
	static const char *const paths[] = {
		"/v1/rules",
		"/v1/rules?stats=true&limit=1",
		"/v1/rules/1",
		"/v1/rules/1/stats",
		"/v1/rules/1/stats?per_target=true",
		"/v1/clients",
		"/v1/health-changes",
		"/v1/metrics",
		"/v1/audit",
		"/v1/events",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		api_local(api, "GET", paths[i], NULL, check, (void *)paths[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig *g = &rig;
	struct access *access;
	struct words w = {0};
	struct audit *audit;
	struct api *api;
	char *texts;

	if (!g->base) {
		log_init("fuzz", "off");
		g->base = event_base_new();
		g->store = memory_store();
	}
	if (size < 9)
		return 0;
	w.outcome = data[0];
	memcpy(&w.number, data + 1, 8);
	texts = split(data + 9, size - 9, &w);
	reset_store(g->store, &g->changes);
	if (w.outcome & 4)
		store_words(g, &w);
	g->fleet = fleet_new(g->base, g->store);
	never(fleet_load(g->fleet));
	access = access_new(g->store);
	audit = audit_new(g->base, g->store);
	api = api_new(&(struct api_config){.base = g->base,
					   .store = g->store,
					   .fleet = g->fleet,
					   .access = access,
					   .audit = audit});
	speak(g, &w);
	store_settle(g->store);
	event_base_loop(g->base, EVLOOP_NONBLOCK);
	ask_for_everything(api);
	fleet_free(g->fleet);
	api_free(api);
	audit_free(audit);
	access_free(access);
	event_base_loop(g->base, EVLOOP_NONBLOCK);
	free(texts);
	return 0;
}
