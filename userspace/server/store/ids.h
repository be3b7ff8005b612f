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
/*
 * @p->db is a copy that is to come into the data directory @dir, and lies in @staged: it gets the next generation,
 * above @generation too, and the file of ids beside it. It gives no id that was given in @dir. 0 or -errno.
 */
int ids_of_restored(struct tx_place *p, int dir, const char *staged, uint64_t generation);
/* How often a store was restored, and one; 0 where that cannot be read. */
uint64_t ids_generation(struct db *d);
/* A rule has been stored under that id. */
void ids_given(struct tx_place *p, uint64_t id);

#endif
