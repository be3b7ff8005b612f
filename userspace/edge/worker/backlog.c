// SPDX-License-Identifier: MIT
/* The clients that wait in the queue of a listening socket when it is closed. */
#include "edge/worker/backlog.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "edge/conn/accept.h"
#include "edge/conn/core.h"
#include "edge/conn/sni_table.h"
#include "edge/target/service.h"
#include "edge/worker/accepting.h"
#include "edge/worker/bind.h"
#include "lib/base/container_of.h"

#define DIAL_SHARE 64 /* a turn */

struct backlog {
	struct work work;
	LIST_ENTRY(backlog) entry;
	struct listener_env *env;
	struct service *service;
	struct sni_table *sni;
	uint64_t expected_slot;
	unsigned n, at;
	struct accepted client[];
};

static void backlog_free(struct backlog *b)
{
	LIST_REMOVE(b, entry);
	service_unref(b->service);
	sni_table_unref(b->sni);
	free(b);
}

static void dial_some(struct work *work)
{
	struct backlog *b = container_of(work, struct backlog, work);

	loop_does(b->env->loop, "dialling for a closed listener");
	for (unsigned share = DIAL_SHARE; share && b->at < b->n; share--)
		client_begin(b->env, b->service, b->sni, &b->client[b->at++], b->expected_slot);
	if (b->at < b->n)
		loop_work(b->env->loop, &b->work);
	else
		backlog_free(b);
}

void backlog_take(struct listener_env *env, int fd, struct service *service, struct sni_table *sni,
		  uint16_t port, uint64_t expected_slot)
{
	const unsigned most = LISTEN_BACKLOG + 1;
	struct backlog *b = malloc(sizeof(*b) + most * sizeof(b->client[0]));

	/* Without memory they get the RST. */
	if (!b)
		return;
	*b = (struct backlog){.work.run = dial_some, .env = env, .expected_slot = expected_slot};
	b->service = service_ref(service);
	b->sni = sni ? sni_table_ref(sni) : NULL;
	while (b->n < most && accept_client(env, fd, service, sni, port, &b->client[b->n]) == 0)
		if (b->client[b->n].fd >= 0)
			b->n++;
	LIST_INSERT_HEAD(&env->backlogs, b, entry);
	dial_some(&b->work);
}

void backlog_drop_all(struct listener_env *env)
{
	while (!LIST_EMPTY(&env->backlogs)) {
		struct backlog *b = LIST_FIRST(&env->backlogs);

		while (b->at < b->n)
			conn_refuse(env->conns, b->service, b->client[b->at++].fd, END_DRAINED);
		loop_work_cancel(env->loop, &b->work);
		backlog_free(b);
	}
}
