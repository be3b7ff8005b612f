// SPDX-License-Identifier: MIT
/* Checks the texts of a packed protobuf message where their length is still known. */
#include "lib/wire/text.h"
#include "lib/base/utf8.h"

#include <string.h>

#define DEPTH_MAX 16 /* ours nest four deep */

enum { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_BYTES = 2, WIRE_32BIT = 5 };

struct cursor {
	const uint8_t *p, *end;
};

static bool read_varint(struct cursor *c, uint64_t *value)
{
	*value = 0;
	for (unsigned int shift = 0; shift < 64 && c->p < c->end; shift += 7) {
		uint8_t byte = *c->p++;

		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool skip(struct cursor *c, uint64_t n)
{
	if (n > (uint64_t)(c->end - c->p))
		return false;
	c->p += n;
	return true;
}

static bool valid(const ProtobufCMessageDescriptor *type, struct cursor c, int depth);

/* One length-delimited field; an unknown one may be anything. */
static bool valid_bytes(const ProtobufCFieldDescriptor *field, const uint8_t *p, size_t len,
			int depth)
{
	if (!field)
		return true;
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		return !memchr(p, '\0', len) && utf8_valid((const char *)p, len);
	case PROTOBUF_C_TYPE_MESSAGE:
		return valid(field->descriptor, (struct cursor){p, p + len}, depth + 1);
	default:
		return true;
	}
}

static bool valid(const ProtobufCMessageDescriptor *type, struct cursor c, int depth)
{
	if (depth > DEPTH_MAX)
		return false;
	while (c.p < c.end) {
		const uint8_t *start;
		uint64_t tag, len;
		bool ok;

		if (!read_varint(&c, &tag) || tag >> 3 == 0 || tag > UINT32_MAX)
			return false;
		switch (tag & 7) {
		case WIRE_VARINT:
			ok = read_varint(&c, &len);
			break;
		case WIRE_64BIT:
			ok = skip(&c, 8);
			break;
		case WIRE_32BIT:
			ok = skip(&c, 4);
			break;
		case WIRE_BYTES:
			ok = read_varint(&c, &len);
			start = c.p;
			ok = ok && skip(&c, len) &&
			     valid_bytes(protobuf_c_message_descriptor_get_field(
						 type, (unsigned int)(tag >> 3)),
					 start, (size_t)len, depth);
			break;
		default: /* groups, which proto3 has not */
			return false;
		}
		if (!ok)
			return false;
	}
	return true;
}

bool proto_text_valid(const ProtobufCMessageDescriptor *type, const uint8_t *buf, size_t len)
{
	return valid(type, (struct cursor){buf, buf + len}, 0);
}
