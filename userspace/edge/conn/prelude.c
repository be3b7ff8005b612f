// SPDX-License-Identifier: MIT
/* What a target is told before the client's first byte: the header of the PROXY protocol. */
#include "edge/conn/prelude.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "edge/conn/core.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"

void prelude_begin(struct prelude *p, const struct rule *rule, int client_fd,
		   const struct conn_peer *announced)
{
	socklen_t client = sizeof(p->client), local = sizeof(p->local);
	bool wanted = false, id = false;

	for (unsigned row = 0; row < rule->n_targets; row++) {
		wanted |= rule->targets[row].proxy != RULE_PROXY_NONE;
		id |= rule->targets[row].tlvs & RULE_TLV_UNIQUE_ID;
	}
	if (!wanted)
		return;
	if (id && getrandom(p->id, sizeof(p->id), 0) != (ssize_t)sizeof(p->id))
		memset(p->id, 0, sizeof(p->id));
	if (announced) {
		p->client = announced->client;
		p->local = announced->local;
		return;
	}
	if (getpeername(client_fd, &p->client.sa, &client) < 0 ||
	    getsockname(client_fd, &p->local.sa, &local) < 0)
		memset(p, 0, sizeof(*p));
}

static size_t write_header(const struct prelude *p, const struct rule_target *t,
			   uint8_t header[PROXY_HEADER_MAX])
{
	return proxy_header(t->proxy, &p->client, &p->local,
			    t->tlvs & RULE_TLV_UNIQUE_ID ? p->id : NULL, header);
}

/* What a target's log has of the connection, the edge's has as well. */
static void log_id(const struct prelude *p, const struct rule *rule, unsigned row)
{
	char client[ADDR_TEXT_MAX], id[2 * PROXY_ID_BYTES + 1];
	const struct rule_target *t = &rule->targets[row];

	if (!log_enabled(LOG_DEBUG) || !(t->tlvs & RULE_TLV_UNIQUE_ID))
		return;
	hex_write(p->id, sizeof(p->id), id);
	log_event(LOG_DEBUG, "connection.introduced", LOGF_UINT("rule", rule->id),
		  LOGF_STR("client", addr_text(&p->client, client, sizeof(client))),
		  LOGF_STR("target", t->host), LOGF_UINT("target_port", t->port),
		  LOGF_STR("unique_id", id));
}

uint8_t prelude_len(const struct prelude *p, const struct rule *rule, unsigned row)
{
	uint8_t header[PROXY_HEADER_MAX];

	return (uint8_t)write_header(p, &rule->targets[row], header);
}

int prelude_send(const struct prelude *p, const struct rule *rule, unsigned row, bool follows,
		 int fd)
{
	uint8_t header[PROXY_HEADER_MAX];
	size_t len = write_header(p, &rule->targets[row], header);
	ssize_t n;

	if (!len)
		return 1;
	log_id(p, rule, row);
	/* The relay reads and writes once right after this, which sends what MSG_MORE holds back. */
	n = send(fd, header, len, MSG_NOSIGNAL | MSG_DONTWAIT | (follows ? MSG_MORE : 0));
	if (n < 0)
		return -errno;
	/* A new socket has room for far more; one that has not is of no use. */
	return (size_t)n == len ? follows : -ENOBUFS;
}
