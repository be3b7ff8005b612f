// SPDX-License-Identifier: MIT
/* A rule as it arrived: how it is refused, how its words are read, its envelope of caps taken over. */
#include "lib/rule/draft.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/utf8.h"

int rule_refuse(const struct rule_draft *d, int status, const char *code, int row,
		const char *field, const char *text)
{
	struct rule_error *err = d->err;
	const char *prefix = d->prefix ? d->prefix : "";

	memset(err, 0, sizeof(*err));
	err->status = status;
	err->row = row;
	snprintf(err->code, sizeof(err->code), "%s", code);
	utf8_format(err->message, sizeof(err->message), "%s%s%s%s%s", prefix,
		    *prefix && *field ? "." : "", field, *prefix || *field ? ": " : "", text);
	return -EINVAL;
}

int rule_refuse_target(const struct rule_draft *d, const char *code, size_t row, const char *member,
		       const char *text)
{
	char field[64];

	snprintf(field, sizeof(field), "targets[%zu]%s%s", row, *member ? "." : "", member);
	return rule_refuse(d, 400, code, (int)row, field, text);
}

bool rule_is_word(const char *s, const char *word)
{
	size_t len = strlen(word);

	s += strspn(s, " \t\r\n");
	return !strncasecmp(s, word, len) && !s[len + strspn(s + len, " \t\r\n")];
}

bool rule_draft_is_udp(const struct rule_draft *d)
{
	return d->key[KEY_PROTOCOL].has && rule_is_word(d->key[KEY_PROTOCOL].s, "udp");
}

void draft_rate_limit(const struct rule_draft *d, struct rate_limit *out)
{
	memset(out, 0, sizeof(*out));
	for (enum limit_key i = 0; i < LIMIT_KEYS; i++) {
		if (!d->limit[i].has)
			continue;
		out->has |= 1u << i;
		out->value[i] = d->limit[i].u;
	}
}
