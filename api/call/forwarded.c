// SPDX-License-Identifier: MIT
/* Trusted proxies, and the addresses that they pass on. */
#include "api/call/forwarded.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/cidr.h"

struct proxies {
	size_t n;
	struct cidr blocks[];
};

struct proxies *proxies_new(const char *list)
{
	size_t lines = 0;
	struct proxies *p;
	char line[64];

	for (const char *s = list; s && *s; s++)
		lines += s == list || s[-1] == '\n';
	p = calloc(1, sizeof(*p) + lines * sizeof(p->blocks[0]));
	while (p && list && *list) {
		size_t n = strcspn(list, "\n");

		if (n < sizeof(line)) {
			memcpy(line, list, n);
			line[n] = '\0';
			p->n += !cidr_parse(line, &p->blocks[p->n]);
		}
		list += n + (list[n] == '\n');
	}
	return p;
}

void proxies_free(struct proxies *p)
{
	free(p);
}

bool proxies_trust(const struct proxies *p, const union addr *a)
{
	for (size_t i = 0; i < p->n; i++)
		if (cidr_has(&p->blocks[i], a))
			return true;
	return false;
}

/* Of the first @len bytes of a list, without the blanks and commas at their end. */
static size_t list_length(const char *list, size_t len)
{
	while (len && strchr(" \t,", list[len - 1]))
		len--;
	return len;
}

/* Reads the last entry of the first @len bytes of a list; *len becomes what is before it. */
static bool last_entry(const char *list, size_t *len, union addr *out)
{
	size_t end = *len, start = end;
	uint16_t port;
	char text[72];

	while (start && list[start - 1] != ',')
		start--;
	*len = list_length(list, start);
	while (start < end && strchr(" \t", list[start]))
		start++;
	if (end - start == 0 || end - start >= sizeof(text))
		return false;
	memcpy(text, list + start, end - start);
	text[end - start] = '\0';
	if (!addr_parse_literal(text, 0, out))
		return true;
	/* Some proxies add the port: "192.0.2.1:4711", "[2001:db8::1]:4711". */
	return !addr_split(text, text, sizeof(text), &port) && !addr_parse_literal(text, 0, out);
}

void proxies_client(const struct proxies *p, const union addr *peer,
		    const char *const *forwarded_for, unsigned n, union addr *out)
{
	size_t len = 0;
	union addr next;

	*out = *peer;
	while (proxies_trust(p, out)) {
		while (!len && n) {
			n--;
			len = list_length(forwarded_for[n], strlen(forwarded_for[n]));
		}
		if (!len || !last_entry(forwarded_for[n], &len, &next))
			return;
		*out = next;
	}
}

bool forwarded_https(const char *const *forwarded_proto, unsigned n)
{
	const char *last;

	if (!n)
		return false;
	last = strrchr(forwarded_proto[n - 1], ',');
	last = last ? last + 1 : forwarded_proto[n - 1];
	last += strspn(last, " \t");
	return !strncasecmp(last, "https", 5) && !last[5 + strspn(last + 5, " \t")];
}
