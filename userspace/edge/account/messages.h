/* SPDX-License-Identifier: MIT */
/* What libbpf says, in our log and one level lower. */
#ifndef PORTUNUS_EDGE_ACCOUNT_MESSAGES_H
#define PORTUNUS_EDGE_ACCOUNT_MESSAGES_H

/* From now on libbpf writes into the log, and no longer to stderr. Before anything is loaded. */
void account_take_libbpf_messages(void);

#endif
