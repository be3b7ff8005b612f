// SPDX-License-Identifier: MIT
/* The optional words of a rule, as data: their keys, where they lie, and what they may be. */
#include "lib/rule/words.h"

#include <string.h>

#define NAME_MAX_LEN 15 /* IFNAMSIZ and TCP_CA_NAME_MAX are 16 */

/* What the kernel takes for an interface's name (dev_valid_name()), without its control characters. */
static bool is_interface(const char *s)
{
	if (!*s || strlen(s) > NAME_MAX_LEN || !strcmp(s, ".") || !strcmp(s, ".."))
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~' || strchr("/:%", *s))
			return false;
	return true;
}

static bool is_algorithm(const char *s)
{
	return *s && strlen(s) <= NAME_MAX_LEN &&
	       !s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-")];
}

const struct rule_word rule_words[RULE_WORDS] = {
	{"source_interface", KEY_SOURCE_INTERFACE, offsetof(struct rule, source_interface),
	 is_interface, "must be the name of an interface, up to 15 characters", false},
	{"listen_interface", KEY_LISTEN_INTERFACE, offsetof(struct rule, listen_interface),
	 is_interface, "must be the name of an interface, up to 15 characters", false},
	{"congestion_control", KEY_CONGESTION, offsetof(struct rule, congestion_control),
	 is_algorithm, "must be a name like \"cubic\", up to 15 characters", true},
};
