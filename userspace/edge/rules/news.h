/* SPDX-License-Identifier: MIT */
/* News between the workers and the table of rules. */
#ifndef PORTUNUS_EDGE_RULES_NEWS_H
#define PORTUNUS_EDGE_RULES_NEWS_H

struct rule_table;

/* Begins to take news of targets from the workers (table->watch). 0 or -errno. Main thread. */
int rule_news_init(struct rule_table *t);
/* After the workers have stopped. */
void rule_news_close(struct rule_table *t);

/* Tells the workers that caps have changed: those who wait under the former ones ask anew. */
void rule_news_caps_changed(struct rule_table *t);

#endif
