// SPDX-License-Identifier: MIT
/* The one place that says yes or no: the owner's envelope, then the rule's. */
#include "edge/admit/admit.h"

static void take_back(const struct admission *a, unsigned end, unsigned worker)
{
	for (unsigned i = 0; i < end; i++)
		if (a->by[i])
			envelope_take_back(a->by[i], worker);
}

bool admit_enter(const struct admission *a, unsigned worker, bool udp, uint64_t now_ns)
{
	for (unsigned i = 0; i < ADMIT_ENVELOPES; i++) {
		if (!a->by[i] || envelope_enter(a->by[i], worker, udp, now_ns))
			continue;
		take_back(a, i, worker);
		return false;
	}
	return true;
}

void admit_take_back(const struct admission *a, unsigned worker)
{
	take_back(a, ADMIT_ENVELOPES, worker);
}

void admit_adopt(const struct admission *a, unsigned worker)
{
	for (unsigned i = 0; i < ADMIT_ENVELOPES; i++)
		if (a->by[i])
			envelope_adopt(a->by[i], worker);
}

void admit_leave(const struct admission *a, unsigned worker)
{
	for (unsigned i = 0; i < ADMIT_ENVELOPES; i++)
		if (a->by[i])
			envelope_leave(a->by[i], worker);
}

void admit_charge(const struct admission *a, unsigned direction, size_t len, uint64_t now_ns)
{
	for (unsigned i = 0; i < ADMIT_ENVELOPES; i++)
		if (a->by[i])
			bucket_book(&a->by[i]->bytes[direction], len, now_ns);
}

bool admit_datagram(const struct admission *a, unsigned direction, size_t len, uint64_t now_ns)
{
	for (unsigned i = 0; i < ADMIT_ENVELOPES; i++) {
		if (!a->by[i] || bucket_take_all(&a->by[i]->bytes[direction], len, now_ns))
			continue;
		while (i-- > 0)
			if (a->by[i])
				bucket_give_back(&a->by[i]->bytes[direction], len);
		return false;
	}
	return true;
}
