// SPDX-License-Identifier: MIT
/* What a body says that nothing is done with: told in the answer, or an error when asked for. */
#include "api/call/warnings.h"

#include "api/call/call.h"

void warn_of_key(void *arg, const char *path, const char *nearest)
{
	struct call *c = arg;

	if (!c->warnings) {
		c->warnings = json_array();
		c->meant = nearest;
	}
	json_array_append_new(c->warnings, json_sprintf("unknown key '%s'", path));
}

bool warnings_refuse(struct call *c)
{
	if (!c->warnings || !call_flag(c, "strict"))
		return false;
	call_error(c, 422, "invalid_body", c->meant ? "%s; did you mean '%s'?" : "%s",
		   json_string_value(json_array_get(c->warnings, 0)), c->meant);
	return true;
}

json_t *warnings_put(struct call *c, json_t *answer)
{
	if (answer && c->warnings)
		json_object_set(answer, "warnings", c->warnings);
	return answer;
}
