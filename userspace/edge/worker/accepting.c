// SPDX-License-Identifier: MIT
/* Accepting one client, and refusing one that may not come or comes round in a circle. */
#include "edge/worker/accepting.h"

#include <errno.h>
#include <sys/socket.h>

#include "edge/conn/accept.h"
#include "edge/conn/core.h"
#include "edge/conn/intake.h"
#include "edge/conn/peek.h"
#include "edge/target/access_list.h"
#include "edge/target/hops.h"
#include "lib/base/log.h"
#include "lib/rule/span.h"

/* One line for a rule: there would be one for each client, and more. */
static void refuse_loop(struct conn_env *conns, const struct service *service, int fd)
{
	conn_refuse(conns, service, fd, END_LOOP);
	if (!atomic_exchange(&service->totals->loop_said, true))
		log_event(LOG_WARN, "rule.loop", LOGF_UINT("rule", service->rule->id),
			  LOGF_UINT("port", service->rule->listen_port),
			  LOGF_STR("hint", "its target leads back to this port, by an address of "
					   "this host or by another rule; its clients are reset"));
}

/* By which port of the rule the client has come; 0 where the rule has given that up meanwhile. */
static uint16_t port_of(int fd, const struct service *service)
{
	union addr own;
	socklen_t len = sizeof(own);

	if (getsockname(fd, &own.sa, &len) < 0 ||
	    !span_has(rule_span(service->rule), addr_port(&own)))
		return 0;
	return addr_port(&own);
}

int accept_client(struct listener_env *env, int fd, const struct service *service,
		  const struct sni_table *sni, uint16_t port, struct accepted *out)
{
	socklen_t len = sizeof(out->peer);

	out->fd = accept4(fd, &out->peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (out->fd < 0)
		/* accept(2): these are about the connection, not about the listener. */
		return errno == ECONNABORTED || errno == EPROTO || errno == EINTR ? 0 : errno;
	/* Behind a balancer it is not known yet who the client is. */
	if (service->access && !sni && !service->balancers &&
	    !access_list_permits(service->access, &out->peer)) {
		conn_refuse(env->conns, service, out->fd, END_DENIED);
		out->fd = -1;
		return 0;
	}
	out->port = port ? port : port_of(out->fd, service);
	if (!out->port) {
		conn_refuse(env->conns, service, out->fd, END_DRAINED);
		out->fd = -1;
		return 0;
	}
	out->hops = (uint8_t)hops_passed(env->hops, out->fd, &out->peer, env->loop->now_ns);
	if (out->hops >= HOPS_MAX) {
		refuse_loop(env->conns, service, out->fd);
		out->fd = -1;
	}
	return 0;
}

void client_begin(struct listener_env *env, struct service *service, struct sni_table *sni,
		  const struct accepted *client, uint64_t expected_slot)
{
	if (sni)
		peek_begin(env->conns, sni, client, expected_slot);
	else if (service->balancers)
		intake_begin(env->conns, service, client, expected_slot);
	else
		conn_new(env->conns, service, client, expected_slot);
}
