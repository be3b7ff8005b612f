/* SPDX-License-Identifier: MIT */
/* Checks the texts of a packed protobuf message where their length is still known. */
#ifndef PORTUNUS_LIB_WIRE_TEXT_H
#define PORTUNUS_LIB_WIRE_TEXT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/*
 * Whether every string field in the packed message is UTF-8 without a NUL, embedded messages
 * included. protobuf-c looks at neither: it hands out bytes that strict peers refuse and cuts a text
 * at its NUL, so check before unpacking and, where a text came from elsewhere, after packing. False
 * also for a message that is malformed, or nested deeper than any of ours. Any thread.
 */
bool proto_text_valid(const ProtobufCMessageDescriptor *type, const uint8_t *buf, size_t len);

#endif
