// SPDX-License-Identifier: MIT
/* The envelopes of owners, one for each edge. */
#include <errno.h>

#include "server/store/inner.h"

int store_owner_caps(struct store *s, void (*row)(void *arg, const struct store_owner_cap *c),
		     void *arg)
{
	int err = 0;
	sqlite3_stmt *q = db_query(&s->read, &err,
				   "SELECT client_id, owner, spec, updated_ms FROM owner_caps "
				   "ORDER BY client_id, owner",
				   "");

	if (!q)
		return err;
	while ((err = db_step(&s->read, q)) == 1)
		row(arg, &(struct store_owner_cap){
				 .client_id = db_text(q, 0),
				 .owner = db_text(q, 1),
				 .spec = db_text(q, 2),
				 .updated_ms = db_u64(q, 3),
			 });
	db_done(q);
	return err;
}

void store_owner_cap_put(struct store_tx *tx, const struct store_owner_cap *c)
{
	/* A client that was deleted meanwhile has no row to select. */
	tx_sql(tx, -ENOENT,
	       "INSERT OR REPLACE INTO owner_caps SELECT id, ?, ?, ? FROM clients WHERE id = ?",
	       "ttit", c->owner, c->spec, c->updated_ms, c->client_id);
}

void store_owner_cap_delete(struct store_tx *tx, const char *client_id, const char *owner)
{
	tx_sql(tx, 0, "DELETE FROM owner_caps WHERE client_id = ? AND owner = ?", "tt", client_id,
	       owner);
}
