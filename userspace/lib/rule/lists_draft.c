// SPDX-License-Identifier: MIT
/* The lists of addresses of a rule as they arrive: taken from JSON, checked, put into the rule. */
#include "lib/rule/lists_draft.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rule/blocks.h"
#include "lib/rule/lists.h"
#include "lib/rule/usable.h"

static int refuse_type(const struct rule_draft *d, const char *name, size_t i, const char *text)
{
	char field[64];

	snprintf(field, sizeof(field), "%s[%zu]", name, i);
	return rule_refuse(d, 422, "invalid_body", -1, field, text);
}

static int take_list(struct rule_draft *d, size_t at, const json_t *value)
{
	const char *name = rule_lists[at].name;
	struct draft_list *list = &d->list[at];
	bool alone = rule_lists[at].single && json_is_string(value);
	size_t n = alone ? 1 : json_array_size(value);

	if (!alone && !json_is_array(value))
		return rule_refuse(d, 422, "invalid_body", -1, name,
				   rule_lists[at].single ? "must be a string or an array of them"
							 : "must be an array of strings");
	list->owned = calloc(n + 1, sizeof(list->owned[0]));
	if (!list->owned)
		return rule_refuse(d, 500, "internal_error", -1, "", "out of memory");
	for (size_t i = 0; i < n; i++) {
		const json_t *item = alone ? value : json_array_get(value, i);

		if (!json_is_string(item))
			return refuse_type(d, name, i, "must be a string");
		list->owned[i] = json_string_value(item);
		if (strlen(list->owned[i]) != json_string_length(item))
			return refuse_type(d, name, i, "must not contain a NUL character");
	}
	list->has = true;
	list->text = list->owned;
	list->n = n;
	return 0;
}

int rule_take_lists(struct rule_draft *d, const json_t *object)
{
	int rc = 0;

	for (size_t i = 0; i < RULE_LISTS && !rc; i++) {
		const json_t *value = json_object_get(object, rule_lists[i].name);

		if (value && !json_is_null(value))
			rc = take_list(d, i, value);
	}
	return rc;
}

void rule_drop_lists(struct rule_draft *d)
{
	for (size_t i = 0; i < RULE_LISTS; i++)
		free(d->list[i].owned);
}

/* An address of each family at most, and of one that a host can have. */
static int check_source(const struct rule_draft *d)
{
	const struct draft_list *list = &d->list[LIST_SOURCE];
	bool has[2] = {false, false};

	for (size_t i = 0; i < list->n; i++) {
		const char *wrong = NULL;
		char field[64];
		union addr a;

		if (addr_parse_literal(list->text[i], 0, &a))
			wrong = "must be an IPv4 or IPv6 address";
		else if (addr_is_any(&a))
			wrong = "is no address of a host";
		else
			wrong = rule_check_listener(list->text[i],
						    d->key[KEY_SOURCE_INTERFACE].has);
		if (!wrong && has[a.sa.sa_family == AF_INET6])
			wrong = "is the second address of its family";
		if (wrong) {
			snprintf(field, sizeof(field), "source_address[%zu]", i);
			return rule_refuse(d, 400, "option_out_of_range", -1, field, wrong);
		}
		has[a.sa.sa_family == AF_INET6] = true;
	}
	return list->n ? 0
		       : rule_refuse(d, 400, "option_out_of_range", -1, "source_address",
				     "must have an address");
}

static int check_list(const struct rule_draft *d, size_t at)
{
	const struct draft_list *list = &d->list[at];
	char field[64], text[80];
	struct cidr c;

	if (list->n < 1 || list->n > RULE_BLOCKS_MAX) {
		snprintf(text, sizeof(text), "must have 1..%d blocks of addresses",
			 RULE_BLOCKS_MAX);
		return rule_refuse(d, 400, "option_out_of_range", -1, rule_lists[at].name, text);
	}
	for (size_t i = 0; i < list->n; i++) {
		if (!cidr_parse(list->text[i], &c))
			continue;
		snprintf(field, sizeof(field), "%s[%zu]", rule_lists[at].name, i);
		return rule_refuse(d, 400, "option_out_of_range", -1, field,
				   "must be an address, or a block like \"10.0.0.0/8\" with no bit "
				   "set behind its prefix");
	}
	return 0;
}

int rule_check_lists(const struct rule_draft *d)
{
	int rc = 0;

	for (size_t i = 0; i < RULE_LISTS && !rc; i++)
		if (d->list[i].has)
			rc = i == LIST_SOURCE ? check_source(d) : check_list(d, i);
	return rc;
}

bool rule_set_lists(struct rule *r, const struct rule_draft *d)
{
	size_t wrong;

	for (size_t i = 0; i < RULE_LISTS; i++) {
		struct rule_blocks **to = rule_list(r, &rule_lists[i]);

		if (!d->list[i].has)
			continue;
		*to = rule_blocks_new(d->list[i].text, d->list[i].n, &wrong);
		if (!*to)
			return false;
	}
	return true;
}
