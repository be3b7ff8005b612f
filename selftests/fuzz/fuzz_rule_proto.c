// SPDX-License-Identifier: MIT
/* Any bytes as a rule on the control channel: a reason, or a rule that survives being sent. */
#include "lib/rule/proto.c"

#include "lib/wire/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Portunus__V1__Rule *m = NULL;
	struct rule *r, *back;
	struct rule_proto out;
	struct rule_error err;
	uint8_t *packed;
	size_t len;

	if (proto_text_valid(&portunus__v1__rule__descriptor, data, size))
		m = portunus__v1__rule__unpack(NULL, size, data);
	if (!m)
		return 0;
	r = rule_from_proto(m, &err);
	portunus__v1__rule__free_unpacked(m, NULL);
	if (!r) {
		if (!err.code[0] || !err.message[0])
			abort();
		return 0;
	}
	rule_to_proto(r, true, &out);
	len = portunus__v1__rule__get_packed_size(&out.msg);
	packed = malloc(len ? len : 1);
	if (!packed || portunus__v1__rule__pack(&out.msg, packed) != len ||
	    !proto_text_valid(&portunus__v1__rule__descriptor, packed, len))
		abort();
	m = portunus__v1__rule__unpack(NULL, len, packed);
	back = m ? rule_from_proto(m, &err) : NULL;
	if (!back || !rule_equal(r, back))
		abort();
	portunus__v1__rule__free_unpacked(m, NULL);
	free(packed);
	rule_free(back);
	rule_free(r);
	return 0;
}
