// SPDX-License-Identifier: MIT
/* Any messages from a server: each is answered or ignored, and every answer is a message of ours. */
#include "edge/control/session.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The owner: takes some messages, has no room for others. */
struct owner {
	unsigned sends, full_every;
	bool paused;
};

static int take(void *arg, const uint8_t *data, size_t len)
{
	Portunus__V1__ClientMessage *m;
	struct owner *o = arg;

	if (o->full_every && ++o->sends % o->full_every == 0)
		return -EAGAIN;
	m = portunus__v1__client_message__unpack(NULL, len, data);
	if (!m || !proto_text_valid(&portunus__v1__client_message__descriptor, data, len))
		abort();
	portunus__v1__client_message__free_unpacked(m, NULL);
	return 0;
}

static void pause_input(void *arg, bool paused)
{
	struct owner *o = arg;

	if (o->paused == paused)
		abort();
	o->paused = paused;
}

static void welcome(void *arg, const Portunus__V1__Welcome *w)
{
}

static const char *push(void *arg, const struct rule *rule)
{
	if (!rule->listen_port || !rule->n_targets || !rule->targets[0].port)
		abort();
	return rule->id & 1 ? "port_in_use" : NULL;
}

static void refused(void *arg, uint64_t rule_id)
{
}

static bool drop(void *arg, uint64_t rule_id, uint64_t *saved_by)
{
	*saved_by = rule_id & 4;
	return rule_id & 1;
}

static void owner_caps(void *arg, const char *owner, const struct rate_limit *limit)
{
	if (!*owner ||
	    (limit && rate_limit_has(limit, LIMIT_CONCURRENT) && !limit->value[LIMIT_CONCURRENT]))
		abort();
}

static void replayed(void *arg, bool whole)
{
}

static void stats_wanted(void *arg, const struct stats_request *wanted)
{
	uint64_t sum = wanted->id;

	for (size_t i = 0; i < wanted->n; i++)
		sum += wanted->rule_ids[i];
	if (sum == UINT64_MAX / 3)
		abort();
}

static void flows_wanted(void *arg, uint64_t request_id, uint64_t rule_id)
{
}

static const struct session_ops owner_ops = {
	.send = take,
	.pause = pause_input,
	.welcome = welcome,
	.push = push,
	.refused = refused,
	.remove = drop,
	.owner_caps = owner_caps,
	.replayed = replayed,
	.stats_wanted = stats_wanted,
	.flows_wanted = flows_wanted,
};

/* The input: how often the stream is full, then messages behind a length of one byte. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct owner o = {.full_every = size ? data[0] % 8 : 0};
	struct session *s = session_new(&owner_ops, &o);
	size_t at = 1;

	log_init("fuzz", "off");
	while (s && at < size) {
		size_t len = data[at++];

		if (len > size - at)
			len = size - at;
		session_message(s, data + at, len);
		at += len;
		if (o.paused)
			session_drained(s);
		if (len & 1)
			session_saved(s, 4);
	}
	session_free(s);
	return 0;
}
