/* SPDX-License-Identifier: MIT */
/* An open store, for the files of this folder and its tests. */
#ifndef PORTUNUS_SERVER_STORE_INNER_H
#define PORTUNUS_SERVER_STORE_INNER_H

#include "server/store/writer.h"

struct store {
	struct db read; /* the loop's thread alone */
	struct tx_place place;
	struct writer writer;
	int lock_fd;
	uint64_t highest_id; /* of a rule, ever, as far as it was told */
	bool restored;
	struct store_companion companion;
	char message[DB_MESSAGE_SIZE]; /* of the last transaction that failed, or "" */
};

#endif
