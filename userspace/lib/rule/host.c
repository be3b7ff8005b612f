// SPDX-License-Identifier: MIT
/* The grammar of hosts and of client names, and when two hosts are the same. */
#include "lib/rule/host.h"

#include "lib/base/addr.h"
#include "lib/base/utf8.h"

#include <string.h>

#define HOST_MAX       253 /* RFC 1035, 2.3.4, as text without the root's dot */
#define LABEL_MAX      63
#define NAME_MAX_BYTES 255

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static const char *check_label(const char *label, size_t len, bool underscore, const char **suffix)
{
	if (len == 0)
		return "has an empty label";
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(label[i]) && label[i] != '-' && !(underscore && label[i] == '_'))
			return underscore
				       ? "a name is made of ASCII letters, digits, hyphens, "
					 "underscores and dots"
				       : "a name is made of ASCII letters, digits, hyphens and dots";
	if (len > LABEL_MAX) {
		*suffix = "_label_too_long";
		return "a label of a name has at most 63 characters";
	}
	if (label[0] == '-' || label[len - 1] == '-') {
		*suffix = "_label_hyphen";
		return "a label starts or ends with a hyphen";
	}
	return NULL;
}

static const char *check_host(const char *host, bool target, bool underscore, const char **suffix)
{
	const char *ignored, *label = host;
	size_t len = strlen(host);
	union addr a;

	if (!suffix)
		suffix = &ignored;
	*suffix = "";
	if (len == 0)
		return "is empty";
	if (!addr_parse_literal(host, 0, &a) || (target && !addr_parse_zoned(host, 0, &a)))
		return host[0] != '[' && strchr(host, ':') ? "an IPv6 address needs brackets"
							   : NULL;
	if (host[0] == '[')
		return target && strchr(host, '%') ? "is not a link-local IPv6 address with a zone"
						   : "is not an IPv6 address in brackets";
	if (host[len - 1] == '.')
		len--;
	if (len > HOST_MAX) {
		*suffix = "_too_long";
		return "a name has at most 253 characters";
	}
	if (strspn(host, "0123456789.") >= len)
		return "is neither an IPv4 address nor a name";
	for (const char *end = host + len; label <= end;) {
		const char *dot = memchr(label, '.', (size_t)(end - label));
		const char *stop = dot ? dot : end;
		const char *wrong = check_label(label, (size_t)(stop - label), underscore, suffix);

		if (wrong)
			return wrong;
		label = stop + 1;
	}
	return NULL;
}

const char *rule_check_host(const char *host, const char **suffix)
{
	return check_host(host, false, false, suffix);
}

const char *rule_check_target_host(const char *host, const char **suffix)
{
	return check_host(host, true, true, suffix);
}

const char *rule_check_client(const char *name)
{
	if (name[strspn(name, " \t\r\n")] == '\0')
		return "is empty";
	if (strlen(name) > NAME_MAX_BYTES)
		return "has more than 255 bytes";
	return utf8_is_name(name) ? NULL : "has control, invisible or unknown characters";
}

static size_t len_without_dot(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && s[len - 1] == '.' ? len - 1 : len;
}

/* "%eth0", or "": on another host the interfaces have no numbers. */
static const char *zone_of(const char *host)
{
	const char *zone = strchr(host, '%');

	return zone ? zone : "";
}

bool rule_host_equal(const char *a, const char *b)
{
	size_t len = len_without_dot(a);
	union addr x, y;

	if (len == len_without_dot(b) && !strncasecmp(a, b, len))
		return true;
	/* An IPv4 address has one spelling, and an IPv6 address many. */
	if ((!strchr(a, ':') && !strchr(b, ':')) || addr_parse_zoned(a, 0, &x) ||
	    addr_parse_zoned(b, 0, &y) || strcmp(zone_of(a), zone_of(b)))
		return false;
	return addr_equal(&x, &y);
}

bool rule_host_same(const char *a, const char *b)
{
	return rule_host_equal(a, b) &&
	       (a[len_without_dot(a)] == '.') == (b[len_without_dot(b)] == '.');
}
