// SPDX-License-Identifier: MIT
/* /healthz and /readyz: for whoever restarts the server, and whoever sends it requests. */
#include "api/routes/health.h"

#include <errno.h>
#include <stdlib.h>

#include "api/call/call.h"
#include "server/store/store.h"

/* The loop turns: otherwise there would be no answer. */
void health_live(struct call *c)
{
	call_json(c, 200, json_pack("{s:s}", "status", "ok"));
}

const char *health_of_store(struct api *api)
{
	char *ignored = NULL;
	int err = store_setting_get(api->store, "installation", &ignored);

	free(ignored);
	return err && err != -ENOENT ? store_advice(err) : NULL;
}

void health_ready(struct call *c)
{
	const char *store = health_of_store(c->api);
	const char *control = c->api->enroll ? NULL : "the edges' listener is not up";

	if (!store && !control) {
		call_json(c, 200, json_pack("{s:s}", "status", "ok"));
		return;
	}
	call_add_header(c, "Retry-After", "1");
	call_json(c, 503,
		  json_pack("{s:s,s:{s:s,s:s}}", "status", "unready", "checks", "store",
			    store ? store : "ok", "control", control ? control : "ok"));
}
