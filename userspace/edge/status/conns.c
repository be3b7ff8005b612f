// SPDX-License-Identifier: MIT
/*
 * The list of connections, gathered from the workers a share at a time so that relaying is never
 * held up. getsockopt(TCP_INFO) on the worker's thread says what sock_diag would, without a search
 * for the sockets by their addresses.
 */
#include "edge/status/conns.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "edge/conn/list.h"
#include "edge/target/service.h"
#include "edge/worker/worker.h"

/* Whether this kernel's answer of @len bytes has that member. */
#define has(len, member) ((len) >= offsetof(struct tcp_info, member) + sizeof(ti.member))

struct leg {
	uint64_t delivered, unacked;
	uint32_t rtt_us, retransmits;
};

#define STATE_FIN_WAIT2 5 /* enum of net/tcp_states.h: our FIN was acknowledged */

/*
 * @delivered stays as it is where the kernel cannot say. bytes_acked counts the SYN of a socket that
 * connected, and the FIN once that is acknowledged.
 */
static void look(int fd, bool connected, union addr *peer, struct leg *leg)
{
	struct tcp_info ti = {0};
	socklen_t len = sizeof(ti), alen = sizeof(*peer);
	int queued = 0;

	if (fd < 0)
		return;
	if (getpeername(fd, &peer->sa, &alen) < 0)
		memset(peer, 0, sizeof(*peer));
	if (!ioctl(fd, SIOCOUTQ, &queued) && queued > 0)
		leg->unacked = (unsigned)queued;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len) < 0)
		return;
	leg->rtt_us = ti.tcpi_rtt;
	leg->retransmits = ti.tcpi_total_retrans;
	if (has(len, tcpi_bytes_acked)) {
		uint64_t extra = connected + (ti.tcpi_state == STATE_FIN_WAIT2);

		leg->delivered = ti.tcpi_bytes_acked > extra ? ti.tcpi_bytes_acked - extra : 0;
	}
}

static void add(const struct conn_view *v, void *arg)
{
	struct conn_chunk *chunk = arg;
	struct conn_row *row = &chunk->row[chunk->n++];
	struct leg client = {.delivered = v->bytes_out}, target = {.delivered = v->bytes_in};

	memset(row, 0, sizeof(*row));
	row->rule_id = v->service->totals->rule_id;
	row->target = v->target ? target_ref((struct target *)v->target) : NULL;
	row->row = v->row;
	row->listen_port = v->listen_port;
	row->age_ms = v->age_ms;
	look(v->client_fd, false, &row->client, &client);
	if (v->announced)
		row->client = *v->announced;
	look(v->target_fd, true, &row->to, &target);
	row->path = v->path;
	row->bytes_in = target.delivered + v->kernel_in;
	row->bytes_out = client.delivered + v->kernel_out;
	row->unacked_client = client.unacked;
	row->unacked_target = target.unacked;
	row->rtt_client_us = client.rtt_us;
	row->rtt_target_us = target.rtt_us;
	row->retransmits_client = client.retransmits;
	row->retransmits_target = target.retransmits;
}

static void on_arrived(struct job *job)
{
	struct conn_chunk *chunk = (struct conn_chunk *)job;

	chunk->arrived(chunk);
}

/* On the worker's thread. */
static void on_fetch(struct job *job)
{
	struct conn_chunk *chunk = (struct conn_chunk *)job;

	if (!chunk->more)
		conn_visit_begin(&chunk->worker->conns, &chunk->cursor);
	chunk->more = conn_visit(&chunk->worker->conns, &chunk->cursor, CONN_CHUNK_MAX, add, chunk);
	chunk->job.run = on_arrived;
	mailbox_post(chunk->home, &chunk->job);
}

void conn_chunk_fetch(struct conn_chunk *chunk)
{
	chunk->n = 0;
	chunk->job.run = on_fetch;
	worker_post(chunk->worker, &chunk->job);
}

void conn_chunk_clear(struct conn_chunk *chunk)
{
	for (unsigned i = 0; i < chunk->n; i++)
		target_unref(chunk->row[i].target);
	chunk->n = 0;
}

/* On the worker's thread: the cursor is in its list. */
static void on_abandoned(struct job *job)
{
	struct conn_chunk *chunk = (struct conn_chunk *)job;

	conn_visit_abandon(&chunk->cursor);
	free(chunk);
}

void conn_chunk_free(struct conn_chunk *chunk)
{
	if (!chunk || !chunk->more) {
		free(chunk);
		return;
	}
	chunk->job.run = on_abandoned;
	worker_post(chunk->worker, &chunk->job);
}
