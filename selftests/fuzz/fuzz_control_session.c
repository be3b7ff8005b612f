// SPDX-License-Identifier: MIT
/* Any messages from a server: each is answered or ignored, and every answer is a message of ours. */
#include "edge/control_session.c"

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

static void welcome(void *arg, const char *version)
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

static bool drop(void *arg, uint64_t rule_id)
{
	return rule_id & 1;
}

static void replayed(void *arg, bool whole)
{
}

static void stats_wanted(void *arg, uint64_t request_id, const uint64_t *ids, size_t n)
{
	uint64_t sum = request_id;

	for (size_t i = 0; i < n; i++)
		sum += ids[i];
	if (sum == UINT64_MAX / 3)
		abort();
}

static const struct session_ops owner_ops = {
	.send = take,
	.pause = pause_input,
	.welcome = welcome,
	.push = push,
	.refused = refused,
	.remove = drop,
	.replayed = replayed,
	.stats_wanted = stats_wanted,
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
	}
	session_free(s);
	return 0;
}
