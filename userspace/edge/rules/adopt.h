/* SPDX-License-Identifier: MIT */
/* Connections that the kernel went on relaying find their rules again. */
#ifndef PORTUNUS_EDGE_RULES_ADOPT_H
#define PORTUNUS_EDGE_RULES_ADOPT_H

struct rule_table;

/* What an earlier process left is given to its rules and targets. Main thread, now and then. */
void rules_adopt(struct rule_table *t);

#endif
