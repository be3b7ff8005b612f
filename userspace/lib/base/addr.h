/* SPDX-License-Identifier: MIT */
/* Socket addresses: reading literals, showing and comparing them. */
#ifndef PORTUNUS_LIB_BASE_ADDR_H
#define PORTUNUS_LIB_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An IPv4 or IPv6 address with its port. 28 bytes, where sockaddr_storage takes 128. */
union addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

#define ADDR_TEXT_MAX 64 /* "[" + 45 + "]:65535", and a scope's name is never shown */

/*
 * Reads an address literal: "192.0.2.1", "[2001:db8::1]" or "2001:db8::1". @port is in host order.
 * Returns 0, or -EINVAL for anything else, names included. An IPv4-mapped IPv6 address becomes IPv4.
 */
int addr_parse_literal(const char *text, uint16_t port, union addr *out);

/*
 * The same, and a link-local IPv6 address with its zone (RFC 4007, 11), which only that may have and
 * cannot do without: "[fe80::1%eth0]", "[fe80::1%2]". The zone of an interface that this host does not have
 * (now) is 0. Asks the kernel for the interface.
 */
int addr_parse_zoned(const char *text, uint16_t port, union addr *out);

/* Splits "host:port" at the last colon; IPv6 must be bracketed. Returns 0 or -EINVAL; @host gets the
 * text before the colon, brackets kept. @host_size counts the terminator. */
int addr_split(const char *text, char *host, size_t host_size, uint16_t *port);

/* Writes "192.0.2.1:80" or "[2001:db8::1]:80"; a mapped address is shown as IPv4. Returns @buf. */
char *addr_text(const union addr *a, char *buf, size_t size);

/* Writes "host:port", with brackets around an IPv6 address, which @host has without them; @port is in
 * host order. Returns @buf. */
char *endpoint_text(const char *host, uint16_t port, char *buf, size_t size);

/* As addr_text(), without the port and the brackets. */
char *addr_text_host(const union addr *a, char *buf, size_t size);

/* Both see an IPv4-mapped IPv6 address as IPv4. addr_same_host() leaves the ports aside. */
bool addr_same_host(const union addr *a, const union addr *b);
bool addr_is_loopback(const union addr *a);
bool addr_is_any(const union addr *a); /* 0.0.0.0 or ::, which the kernel takes for "all" */
bool addr_equal(const union addr *a, const union addr *b);
socklen_t addr_len(const union addr *a);
uint16_t addr_port(const union addr *a);

#endif
