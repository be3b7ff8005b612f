/* SPDX-License-Identifier: MIT */
/* What serves one rule's ports on one worker, whichever its protocol. */
#ifndef PORTUNUS_EDGE_WORKER_ENDPOINT_H
#define PORTUNUS_EDGE_WORKER_ENDPOINT_H

#include <stdint.h>
#include <sys/queue.h>

#include "lib/rule/span.h"

struct flow_port;
struct listener;
struct listener_tag;
struct listening;
struct service;
struct sni_table;
struct worker;

/* Only one of them is there. Touched by the worker's thread alone; all zero: closed. */
struct endpoint {
	LIST_HEAD(, listener) tcp;
	struct flow_port *udp;
};

/* Serves one more socket, which it takes over, as it does a reference of @service and of @sni, which may be
 * NULL (listener.h). Without memory that one is lost, which is logged. Worker's thread, as the following. */
void endpoint_add(struct endpoint *e, struct worker *w, const struct listening *l,
		  struct service *service, struct sni_table *sni);

/* New connections and flows get another version of the rule; takes over its reference. */
void endpoint_set_service(struct endpoint *e, struct service *service);

/* As listener_set_sni(). */
void endpoint_set_sni(struct endpoint *e, struct service *service, struct sni_table *sni,
		      const struct listener_tag *tag);

/* What @from serves is @to's from now on. */
void endpoint_move(struct endpoint *to, struct endpoint *from);

/* Closes the sockets that are bound to ports outside @keep. Connections go on, flows end. */
void endpoint_trim(struct endpoint *e, struct span keep);
/* All of them: the ports are free afterwards. */
void endpoint_close(struct endpoint *e);

#endif
