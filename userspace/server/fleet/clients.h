/* SPDX-License-Identifier: MIT */
/* What operators change of the clients. */
#ifndef PORTUNUS_SERVER_FLEET_CLIENTS_H
#define PORTUNUS_SERVER_FLEET_CLIENTS_H

#include "server/fleet/model.h"

/*
 * What operators change of clients: 0 when @done will be told what became of it, an errno of the store;
 * or -errno at once. After an error nothing has changed.
 */
/* -EEXIST, also told: another one that is not revoked has the name. */
int fleet_client_rename(struct fleet *f, struct fleet_client *c, const char *name,
			fleet_client_done done, void *arg);
int fleet_client_readdress(struct fleet *f, struct fleet_client *c, const char *address,
			   fleet_client_done done, void *arg);
/* Voids its codes and drops its session. */
int fleet_client_revoke(struct fleet *f, struct fleet_client *c, fleet_client_done done, void *arg);
/* And its rules. */
int fleet_client_delete(struct fleet *f, struct fleet_client *c, fleet_client_done done, void *arg);
/*
 * Redeems a code: a new client, or a new token for an existing one, whose session is dropped and
 * whose revocation ends. Also told: -ENOENT: the code is unknown or used, or older than the client's
 * revocation; -EEXIST: another client has got the name meanwhile.
 */
int fleet_client_redeem(struct fleet *f, const char *code_hash, const struct store_code *code,
			const char *token_hash, fleet_client_done done, void *arg);

#endif
