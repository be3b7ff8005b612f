/* SPDX-License-Identifier: MIT */
/* Rule ids are never given twice, also after an older copy of state.db was put in its place. */
#ifndef PORTUNUS_SERVER_STORE_IDS_H
#define PORTUNUS_SERVER_STORE_IDS_H

#include "server/store/tx.h"

/*
 * After the migration. @older_program: the file beside the database did not exist in its version.
 * *restored: an older copy was found in the place of a newer one.
 */
int ids_open(struct tx_place *p, int dir, bool older_program, bool *restored);
/* A rule has been stored under that id. */
void ids_given(struct tx_place *p, uint64_t id);

#endif
