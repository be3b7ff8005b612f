// SPDX-License-Identifier: MIT
/* What serves one rule's ports on one worker, whichever its protocol. */
#include "edge/worker/endpoint.h"

#include <unistd.h>

#include "edge/conn/sni_table.h"
#include "edge/flow/port.h"
#include "edge/target/service.h"
#include "edge/worker/bind.h"
#include "edge/worker/listener.h"
#include "edge/worker/worker.h"

static void add_udp(struct endpoint *e, struct worker *w, const struct listening *l,
		    struct service *service)
{
	if (!e->udp)
		e->udp = flow_port_new(&w->flows, service);
	else
		service_unref(service);
	if (e->udp)
		flow_port_add(e->udp, l->fd, l->port);
	else
		close(l->fd);
}

void endpoint_add(struct endpoint *e, struct worker *w, const struct listening *l,
		  struct service *service, struct sni_table *sni)
{
	struct listener *tcp;

	if (service->rule->protocol == RULE_UDP) {
		add_udp(e, w, l, service);
		return;
	}
	tcp = listener_new(&w->listening, l, service, sni);
	if (tcp)
		LIST_INSERT_HEAD(&e->tcp, tcp, sibling);
}

void endpoint_set_service(struct endpoint *e, struct service *service)
{
	struct listener *l;

	LIST_FOREACH (l, &e->tcp, sibling)
		listener_set_service(l, service_ref(service));
	if (e->udp)
		flow_port_set_service(e->udp, service_ref(service));
	service_unref(service);
}

void endpoint_set_sni(struct endpoint *e, struct service *service, struct sni_table *sni,
		      const struct listener_tag *tag)
{
	struct listener *l;

	LIST_FOREACH (l, &e->tcp, sibling)
		listener_set_sni(l, service_ref(service), sni ? sni_table_ref(sni) : NULL, tag);
	service_unref(service);
	sni_table_unref(sni);
}

void endpoint_move(struct endpoint *to, struct endpoint *from)
{
	struct listener *l;

	while ((l = LIST_FIRST(&from->tcp))) {
		LIST_REMOVE(l, sibling);
		LIST_INSERT_HEAD(&to->tcp, l, sibling);
	}
	to->udp = from->udp;
	from->udp = NULL;
}

void endpoint_trim(struct endpoint *e, struct span keep)
{
	struct listener *l, *next;

	for (l = LIST_FIRST(&e->tcp); l; l = next) {
		next = LIST_NEXT(l, sibling);
		if (span_has(keep, l->bound))
			continue;
		LIST_REMOVE(l, sibling);
		listener_close(l);
	}
	if (e->udp)
		flow_port_trim(e->udp, keep);
}

void endpoint_close(struct endpoint *e)
{
	endpoint_trim(e, (struct span){1, 0});
	if (e->udp)
		flow_port_close(e->udp);
	e->udp = NULL;
}
