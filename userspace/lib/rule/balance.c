// SPDX-License-Identifier: MIT
/* How a rule shares its connections among targets, and what becomes of a bad one: checked, taken, written. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rule/balance.h"
#include "lib/rule/draft.h"
#include "lib/rule/escape.h"
#include "lib/rule/rule.h"

#define OUT_OF_RANGE "option_out_of_range"
#define CONFLICT     "option_conflict"

static const char *const balances[RULE_BALANCES + 1] = {
	[RULE_BALANCE_ORDER] = "order",
	[RULE_BALANCE_ROUND_ROBIN] = "round_robin",
	[RULE_BALANCE_LEAST] = "least_connections",
	[RULE_BALANCE_HASH] = "source_hash",
	[RULE_BALANCES] = "?",
};

/* The words of the two keys that have two. The first is the default. */
static const struct {
	enum rule_key key;
	const char *name, *words[2], *text;
} choices[] = {
	{KEY_ON_FAILURE,
	 "on_failure",
	 {"keep", "end_sessions"},
	 "must be \"keep\" or \"end_sessions\""},
	{KEY_FAILBACK, "failback", {"auto", "manual"}, "must be \"auto\" or \"manual\""},
};

static const struct {
	enum eject_key key;
	const char *name;
	uint32_t max;
	const char *text;
} eject_numbers[] = {
	{EJECT_RESETS, "eject.resets", 1000, "must be 1..1000"},
	{EJECT_WINDOW, "eject.window_secs", 3600, "must be 1..3600"},
	{EJECT_FOR, "eject.for_secs", 86400, "must be 1..86400"},
};

const char *rule_balance_text(unsigned balance)
{
	return balances[balance < RULE_BALANCES ? balance : RULE_BALANCES];
}

static int refuse(const struct rule_draft *d, const char *code, const char *field, const char *text)
{
	return rule_refuse(d, 400, code, -1, field, text);
}

/* RULE_BALANCES: there is no such word. */
static uint8_t balance_of(const struct rule_draft *d)
{
	const struct draft_value *v = &d->key[KEY_BALANCE];
	uint8_t i = 0;

	while (v->has && i < RULE_BALANCES && strcmp(balances[i], v->s))
		i++;
	return i;
}

static int check_words(const struct rule_draft *d)
{
	if (balance_of(d) == RULE_BALANCES)
		return refuse(d, OUT_OF_RANGE, "balance",
			      "must be \"order\", \"round_robin\", \"least_connections\" or "
			      "\"source_hash\"");
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		const struct draft_value *v = &d->key[choices[i].key];

		if (v->has && strcmp(v->s, choices[i].words[0]) &&
		    strcmp(v->s, choices[i].words[1]))
			return refuse(d, OUT_OF_RANGE, choices[i].name, choices[i].text);
	}
	return 0;
}

static int check_weights(const struct rule_draft *d)
{
	for (size_t i = 0; d->has_targets && i < d->n_targets; i++) {
		const struct draft_value *v = &d->target[i][TARGET_WEIGHT];

		if (v->has && (v->u < 1 || v->u > RULE_WEIGHT_MAX))
			return rule_refuse_target(d, OUT_OF_RANGE, i, "weight", "must be 1..256");
	}
	return 0;
}

static int check_eject(const struct rule_draft *d)
{
	if (!d->eject[EJECT_RESETS].has)
		return 0;
	if (rule_draft_is_udp(d))
		return refuse(d, CONFLICT, "eject", "means nothing with protocol \"udp\"");
	for (size_t i = 0; i < EJECT_KEYS; i++) {
		uint64_t n = d->eject[eject_numbers[i].key].u;

		if (n < 1 || n > eject_numbers[i].max)
			return refuse(d, OUT_OF_RANGE, eject_numbers[i].name,
				      eject_numbers[i].text);
	}
	return 0;
}

static int check_talk_text(const struct rule_draft *d, const struct draft_value *v,
			   const char *field)
{
	uint8_t bytes[RULE_TALK_BYTES_MAX];
	ssize_t n = v->has ? rule_unescape(v->s, bytes, sizeof(bytes)) : 1;

	if (n == -EINVAL)
		return refuse(d, OUT_OF_RANGE, field,
			      "has a backslash before something other than r, n, t, 0, \\ or xNN");
	if (n < 1)
		return refuse(d, OUT_OF_RANGE, field, "must be 1..1024 bytes");
	return 0;
}

static int check_talk(const struct rule_draft *d)
{
	const struct draft_value *port = &d->talk[TALK_PORT];

	if (check_talk_text(d, &d->talk[TALK_SEND], "health_check.send") ||
	    check_talk_text(d, &d->talk[TALK_EXPECT], "health_check.expect"))
		return -EINVAL;
	if (port->has && (port->u < 1 || port->u > UINT16_MAX))
		return refuse(d, OUT_OF_RANGE, "health_check.port", "must be 1..65535");
	if (d->talk[TALK_TLS].u && rule_draft_is_udp(d) && !port->has)
		return refuse(
			d, CONFLICT, "health_check.tls",
			"needs health_check.port with protocol \"udp\": it is checked by TCP");
	return 0;
}

int rule_check_balance(const struct rule_draft *d)
{
	int rc = check_words(d);

	if (!rc)
		rc = check_weights(d);
	if (!rc)
		rc = check_eject(d);
	return rc ? rc : check_talk(d);
}

static bool chose_second(const struct rule_draft *d, size_t choice)
{
	const struct draft_value *v = &d->key[choices[choice].key];

	return v->has && !strcmp(v->s, choices[choice].words[1]);
}

static bool set_text(char **to, const struct draft_value *from)
{
	if (from->has)
		*to = strdup(from->s);
	return !from->has || *to;
}

bool rule_set_balance(struct rule *r, const struct rule_draft *d)
{
	r->balance = balance_of(d);
	r->end_sessions = chose_second(d, 0);
	r->manual_failback = chose_second(d, 1);
	r->eject = (struct rule_eject){.resets = (uint32_t)d->eject[EJECT_RESETS].u,
				       .window_secs = (uint32_t)d->eject[EJECT_WINDOW].u,
				       .for_secs = (uint32_t)d->eject[EJECT_FOR].u};
	r->talk.tls = d->talk[TALK_TLS].u;
	r->talk.port = (uint16_t)d->talk[TALK_PORT].u;
	return set_text(&r->talk.send, &d->talk[TALK_SEND]) &&
	       set_text(&r->talk.expect, &d->talk[TALK_EXPECT]);
}

static int put(json_t *o, const char *name, json_t *value)
{
	return json_object_set_new(o, name, value);
}

static int talk_to_json(json_t *o, const struct rule_talk *t)
{
	json_t *talk = json_object();
	int rc = put(o, "health_check", talk);

	if (t->send)
		rc |= put(talk, "send", json_string(t->send));
	if (t->expect)
		rc |= put(talk, "expect", json_string(t->expect));
	if (t->tls)
		rc |= put(talk, "tls", json_true());
	if (t->port)
		rc |= put(talk, "port", json_integer(t->port));
	return rc;
}

int rule_balance_to_json(struct json_t *o, const struct rule *r)
{
	int rc = 0;

	if (r->balance != RULE_BALANCE_ORDER)
		rc |= put(o, "balance", json_string(rule_balance_text(r->balance)));
	if (r->eject.resets)
		rc |= put(o, "eject",
			  json_pack("{s:I,s:I,s:I}", "resets", (json_int_t)r->eject.resets,
				    "window_secs", (json_int_t)r->eject.window_secs, "for_secs",
				    (json_int_t)r->eject.for_secs));
	if (rule_talks(r) || r->talk.port)
		rc |= talk_to_json(o, &r->talk);
	if (r->end_sessions)
		rc |= put(o, "on_failure", json_string(choices[0].words[1]));
	if (r->manual_failback)
		rc |= put(o, "failback", json_string(choices[1].words[1]));
	return rc;
}
