// SPDX-License-Identifier: MIT
/* What an errno of the store means: to an operator in words, to HTTP as a status. */
#include "server/store/store.h"

#include <errno.h>

const char *store_advice(int err)
{
	switch (-err) {
	case ENOSPC:
		return "the disk of the data directory is full; free space and try again";
	case EBUSY:
		return "another process holds a lock on state.db; try again when it has let go";
	case EUCLEAN:
		return "state.db is not a database of Portunus or is damaged; restore a backup";
	case EACCES:
	case EROFS:
		return "the data directory cannot be written; check its owner and its mount";
	case ENOMEM:
		return "out of memory";
	default:
		return "the store could not be written; see the server's log";
	}
}

int store_status(int err, const char **code)
{
	switch (-err) {
	case ENOSPC:
		*code = "store_full";
		return 507;
	case ENOMEM:
		*code = "internal";
		return 500;
	default:
		*code = "store_unavailable";
		return 503;
	}
}
