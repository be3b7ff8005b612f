// SPDX-License-Identifier: MIT
/* The sockets of a rule's ports: all that are wanted or none, on their way to the workers. */
#include "edge/rules/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "edge/rules/jobs.h"
#include "edge/rules/table.h"
#include "edge/worker/bind.h"
#include "edge/worker/heard.h"
#include "edge/worker/worker.h"

static bool is_had(const struct span *have, unsigned port)
{
	return have && span_has(*have, port);
}

static unsigned count(struct span ports, const struct span *have)
{
	unsigned n = 0;

	for (unsigned port = ports.first; port <= ports.last; port++)
		n += !is_had(have, port);
	return n;
}

/* The lowest free descriptor says how full the table is: sockets come one behind the other. */
static unsigned descriptors_used(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return errno == EMFILE ? UINT32_MAX : 0;
	close(fd);
	return (unsigned)fd;
}

/* -EMFILE, with the port at which the descriptors would end. One port is simply tried. */
static int check_descriptors(struct sockets *s, struct span ports, unsigned n, unsigned fd_limit)
{
	unsigned used = descriptors_used(), room = used < fd_limit ? fd_limit - used : 0;

	if (n <= 1 || (uint64_t)n * s->each <= room)
		return 0;
	s->port = (uint16_t)(ports.first + room / s->each);
	return -EMFILE;
}

int sockets_open(struct sockets *s, const struct bind_want *want, struct span ports,
		 const struct span *have, unsigned each, unsigned fd_limit)
{
	unsigned n = count(ports, have);
	int err;

	*s = (struct sockets){.each = each, .port = ports.first};
	if (!n)
		return 0;
	err = check_descriptors(s, ports, n, fd_limit);
	if (err)
		return err;
	s->all = calloc((size_t)n * each, sizeof(*s->all));
	if (!s->all)
		return -ENOMEM;
	for (unsigned port = ports.first; port <= ports.last && !err; port++) {
		if (is_had(have, port))
			continue;
		err = listener_bind(want, (uint16_t)port, &s->all[s->n], each);
		if (!err)
			s->n += each;
		else
			s->port = (uint16_t)port;
	}
	if (err)
		sockets_drop(s);
	return err;
}

int sockets_probe(struct sockets *s, const struct rule *rule, struct span ports,
		  const struct span *have, uint16_t but)
{
	struct heard heard = {.known = false};

	for (unsigned port = ports.first; port <= ports.last; port++) {
		int err;

		if (is_had(have, port) || port == but)
			continue;
		/* The lowest one tells whether the rule may have those above it. */
		if (port > ports.first && !heard_at(&heard, (uint16_t)port))
			continue;
		err = listener_probe(rule, (uint16_t)port);
		if (err == -EADDRINUSE && !heard_at(&heard, (uint16_t)port))
			continue;
		if (err) {
			s->port = (uint16_t)port;
			return err;
		}
	}
	return 0;
}

void sockets_hand_over(struct sockets *s, struct rule_state *rs)
{
	struct rule_table *t = rs->table;

	for (unsigned i = 0; i < s->n; i++) {
		unsigned w = s->each == 1 ? (rs->worker + i) % t->config.n_workers : i % s->each;

		job_listen(&t->config.workers[w], &rs->endpoint[w], &s->all[i],
			   service_ref(rs->service), NULL);
	}
	free(s->all);
	s->all = NULL;
	s->n = 0;
}

void sockets_drop(struct sockets *s)
{
	while (s->n)
		close(s->all[--s->n].fd);
	free(s->all);
	s->all = NULL;
}
