// SPDX-License-Identifier: MIT
/* The TCP ports of this network namespace at which somebody listens. */
#include "edge/worker/heard.h"

#include <stdio.h>
#include <string.h>

#define STATE_LISTEN 10 /* TCP_LISTEN of net/tcp_states.h, as proc(5) shows it */

static bool read_list(struct heard *h, const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned port, state;
	char line[512];

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*u: %*[0-9A-F]:%4x %*[0-9A-F]:%*4x %2x", &port, &state) == 2 &&
		    state == STATE_LISTEN && port < 65536)
			h->ports[port / 64] |= 1ull << port % 64;
	fclose(f);
	return true;
}

bool heard_at(struct heard *h, uint16_t port)
{
	if (!h->known) {
		bool v4 = read_list(h, "/proc/self/net/tcp"),
		     v6 = read_list(h, "/proc/self/net/tcp6");

		/* A kernel without IPv6 has the first one only. */
		if (!v4 && !v6)
			return true;
		h->known = true;
	}
	return h->ports[port / 64] >> port % 64 & 1;
}
