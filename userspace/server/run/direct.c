// SPDX-License-Identifier: MIT
/* What verbs do on the store itself: one call, or making it. */
#include "server/run/direct.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "api/local.h"
#include "cli/cli.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/base/utf8.h"
#include "lib/tls/tls.h"
#include "server/run/parts.h"
#include "server/run/privilege.h"
#include "server/store/store.h"

static void keep_answer(void *arg, const struct api_answer *a)
{
	struct cli_reply *reply = arg;

	reply->status = a->status;
	reply->body = strndup(a->body, a->len);
}

bool has_store(const char *data_dir)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/state.db", data_dir) >= (int)sizeof(path) ||
	       !access(path, F_OK) || errno == EACCES;
}

int direct(const struct cli_request *r, struct cli_reply *reply)
{
	/* A verb that only reads makes no key. */
	struct server s = {.reads = !strcmp(r->method, "GET")};
	int err;

	/* The verb's own output is enough; what goes wrong is in its error. */
	log_init("portunus_server", "error");
	if (!has_store(r->data_dir))
		return -ENOENT;
	err = run_as_owner(r->data_dir, CLI_UNIT_DIR, s.why, sizeof(s.why));
	if (!err)
		err = server_open(&s, r->data_dir);
	if (!err)
		err = server_open_enroll(&s, r->data_dir, r->advertised,
					 &s.settings.control_listen);
	if (!err)
		err = server_open_api(&s);
	if (!err)
		api_local(s.api, r->method, r->target, r->body, keep_answer, reply);
	if (!err && !reply->body)
		err = -ENOMEM;
	if (err)
		snprintf(reply->why, sizeof(reply->why), "%s", s.why);
	if (err == -EBUSY && store_read_holder(r->data_dir, reply->why, sizeof(reply->why)))
		reply->why[0] = '\0';
	server_close(&s);
	return err;
}

int init_store(const char *data_dir, const char *advertised, char *pin_hex, char *why,
	       size_t why_size)
{
	struct server s = {.store = NULL};
	uint8_t pin[TLS_PIN_SIZE];
	int err;

	log_init("portunus_server", "error");
	if (has_store(data_dir))
		return -EEXIST;
	err = run_as_owner(data_dir, CLI_UNIT_DIR, s.why, sizeof(s.why));
	if (!err)
		err = server_open(&s, data_dir);
	if (!err)
		err = server_open_enroll(&s, data_dir, advertised, &s.settings.control_listen);
	if (!err)
		err = tls_pin_of_file(s.settings.tls_cert_path, pin);
	if (!err)
		hex_write(pin, sizeof(pin), pin_hex);
	utf8_format(why, why_size, "%s", s.why);
	server_close(&s);
	return err;
}
