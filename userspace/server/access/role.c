// SPDX-License-Identifier: MIT
/* The roles of tokens and their words. */
#include "server/access/role.h"

#include <string.h>

static const char *const role_names[] = {
	[ROLE_NONE] = "none",
	[ROLE_VIEWER] = "viewer",
	[ROLE_OPERATOR] = "operator",
	[ROLE_ADMIN] = "admin",
};

enum role role_parse(const char *text)
{
	for (int i = ROLE_VIEWER; i <= ROLE_ADMIN; i++)
		if (!strcmp(text, role_names[i]))
			return i;
	return ROLE_NONE;
}

const char *role_text(enum role role)
{
	return role_names[role];
}

const char *role_contract_text(enum role role)
{
	return role == ROLE_ADMIN ? "superadmin" : "user";
}
