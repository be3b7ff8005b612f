/* SPDX-License-Identifier: MIT */
/* What apply is to do: the rules of a file beside those that are there. */
#ifndef PORTUNUS_CLI_PLAN_H
#define PORTUNUS_CLI_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/args.h"
#include "lib/rule/listen.h"

struct rule;

/* A rule of the file. */
struct wanted {
	json_t *body;
	struct rule *rule;
	struct rule_listen at;
	bool found;
};

enum step_kind { STEP_ADD, STEP_CHANGE, STEP_REMOVE };

/* One change of one rule. */
struct step {
	enum step_kind kind;
	unsigned stage;	  /* within the edge, steps go in the order of these */
	size_t order;	  /* as it was found */
	long long id;	  /* 0: there is none yet */
	json_t *was;	  /* the body of what is there, NULL for STEP_ADD */
	json_t *is;	  /* borrowed from wanted; NULL for STEP_REMOVE */
	struct rule *own; /* what is there */
	const struct rule *rule;
	bool done; /* at least in part: there is something to take back */
};

struct plan {
	struct wanted *wanted;
	struct wanted **by_place; /* the same, sorted by edge and place */
	size_t n;
	struct step *steps; /* edge by edge, in the order in which they can be done */
	size_t n_steps, room;
	int unserved; /* the exit code for rules that are as in the file and that their edge does not serve */
};

/* Reads --file into the empty @p, which plan_free() frees in any case. 0, or the exit code. */
int plan_read(struct cli_args *a, struct plan *p);
/* Finds the steps from @rows, the list of what is there. 0, or the exit code. */
int plan_compare(struct cli_args *a, struct plan *p, const json_t *rows);
void plan_free(struct plan *p);

#endif
