// SPDX-License-Identifier: MIT
/* In which order one connection tries the targets of its rule, and who takes new ones. */
#include "edge/target/choose.h"

#include <string.h>

#include "edge/target/hash.h"

/*
 * What a turn costs at weight 1. All weights up to 16, 256 and the powers and round numbers between
 * divide it, so that their shares are exact; others are off by less than a millionth.
 */
#define TURN 57657600ull

#define get(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

/* ---- taking turns ---- */

static unsigned weight_of(const struct service *s, unsigned row)
{
	return rule_weight(&s->rule->targets[row]);
}

/* When a row's next turn is: who was away does not catch up. */
static uint64_t next_turn(const struct service *s, unsigned row)
{
	uint64_t turn = get(s->target[row]->turn), now = get(s->totals->turn);

	return turn > now ? turn : now;
}

/*
 * Start-time fair queueing without a queue: each row has the time of its next turn, which moves on by
 * TURN over its weight. Workers that meet at the same row go on with what is then the earliest.
 */
static unsigned take_turn(const struct service *s, const uint8_t *rows, unsigned n)
{
	for (;;) {
		uint64_t earliest = UINT64_MAX;
		unsigned long long seen = 0; /* as the compare-and-swap has it */
		unsigned row = rows[0];

		for (unsigned i = 0; i < n; i++) {
			uint64_t turn = get(s->target[rows[i]]->turn), at = next_turn(s, rows[i]);

			if (at < earliest) {
				earliest = at;
				seen = turn;
				row = rows[i];
			}
		}
		if (!atomic_compare_exchange_strong_explicit(&s->target[row]->turn, &seen,
							     earliest + TURN / weight_of(s, row),
							     memory_order_relaxed,
							     memory_order_relaxed))
			continue;
		if (earliest > get(s->totals->turn))
			atomic_store_explicit(&s->totals->turn, earliest, memory_order_relaxed);
		return row;
	}
}

/* ---- levels ---- */

static bool is_drained(const struct service *s, unsigned row)
{
	return get(s->target[row]->drained);
}

static bool works(const struct service *s, unsigned row)
{
	return !is_drained(s, row) &&
	       (!s->monitored || health_state(&s->target[row]->health) == HEALTH_HEALTHY);
}

static unsigned level_begin(const struct service *s, unsigned level)
{
	return level ? s->level_end[level - 1] : 0;
}

static bool level_works(const struct service *s, unsigned level)
{
	for (unsigned i = level_begin(s, level); i < s->level_end[level]; i++)
		if (works(s, s->order[i]))
			return true;
	return false;
}

/* The best level of which a target works; -1: none. */
static int best_level(const struct service *s)
{
	for (unsigned level = 0; level < s->n_levels; level++)
		if (level_works(s, level))
			return (int)level;
	return -1;
}

/* The level that is tried first. Without a change of mind by an operator it keeps that place for as
 * long as one of its targets works. */
static unsigned first_level(const struct service *s)
{
	unsigned held;
	int best;

	if (!s->rule->manual_failback)
		return 0;
	held = get(s->totals->held);
	if (held < s->n_levels && level_works(s, held))
		return held;
	best = best_level(s);
	if (best >= 0)
		atomic_store_explicit(&s->totals->held, (unsigned)best, memory_order_relaxed);
	return best >= 0 ? (unsigned)best : held < s->n_levels ? held : 0;
}

void service_settle(const struct service *s)
{
	first_level(s);
}

bool service_fail_back(const struct service *s)
{
	unsigned held = first_level(s);
	int best = best_level(s);

	if (!s->rule->manual_failback || best < 0 || (unsigned)best == held)
		return false;
	atomic_store_explicit(&s->totals->held, (unsigned)best, memory_order_relaxed);
	return true;
}

/* ---- choosing ---- */

/* How far behind the others a row of a level comes. */
static uint64_t rank(const struct service *s, unsigned row, uint64_t client)
{
	switch ((enum rule_balance)s->rule->balance) {
	case RULE_BALANCE_ROUND_ROBIN:
		return next_turn(s, row);
	case RULE_BALANCE_LEAST:
		return (target_load(s->target[row]) + 1) * (TURN / weight_of(s, row));
	case RULE_BALANCE_HASH:
		return hash_distance(client, s->target[row]->key) * (TURN / weight_of(s, row));
	default:
		return 0;
	}
}

/* The rows whose turn it may be: those that work, and of these the least loaded where that counts. */
static unsigned candidates(const struct service *s, const uint8_t *rows, const uint64_t *ranks,
			   unsigned n, uint8_t out[RULE_TARGETS_MAX])
{
	bool least = s->rule->balance == RULE_BALANCE_LEAST;
	uint64_t best = 0;
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!works(s, rows[i]) || (least && found && ranks[i] != best))
			continue;
		best = ranks[i];
		out[found++] = rows[i];
	}
	return found;
}

static void move_to_front(uint8_t *rows, unsigned row)
{
	unsigned i = 0;

	while (rows[i] != row)
		i++;
	memmove(rows + 1, rows, i);
	rows[0] = (uint8_t)row;
}

/* Writes the rows of a level in the order of their ranks; @turn: one of them takes the connection. */
static unsigned rank_level(const struct service *s, unsigned level, uint64_t client, bool turn,
			   uint8_t *out)
{
	unsigned first = level_begin(s, level), n = s->level_end[level] - first;
	uint64_t ranks[RULE_TARGETS_MAX];
	uint8_t able[RULE_TARGETS_MAX];

	for (unsigned k = 0; k < n; k++) {
		uint8_t row = s->order[first + k];
		uint64_t mine = rank(s, row, client);
		unsigned i = k;

		/* Equal ranks keep their order of rows. */
		for (; i > 0 && ranks[i - 1] > mine; i--) {
			ranks[i] = ranks[i - 1];
			out[i] = out[i - 1];
		}
		ranks[i] = mine;
		out[i] = row;
	}
	if (turn && n > 1 && s->rule->balance != RULE_BALANCE_HASH) {
		unsigned n_able = candidates(s, out, ranks, n, able);

		if (n_able)
			move_to_front(out, take_turn(s, able, n_able));
	}
	return n;
}

const uint8_t *service_choose(const struct service *s, const union addr *client,
			      uint8_t own[RULE_TARGETS_MAX])
{
	uint64_t key = 0;
	unsigned first, n;
	bool turn;

	if (s->rule->balance == RULE_BALANCE_ORDER && !s->rule->manual_failback)
		return s->order;
	if (service_needs_client(s))
		key = hash_client(client);
	first = first_level(s);
	turn = level_works(s, first);
	n = rank_level(s, first, key, true, own);
	for (unsigned level = 0; level < s->n_levels; level++) {
		if (level == first)
			continue;
		n += rank_level(s, level, key, !turn, own + n);
		turn = turn || level_works(s, level);
	}
	return own;
}

int service_next(const struct service *s, const uint8_t *order, unsigned dialled)
{
	int failed = -1;

	for (unsigned i = 0; i < s->n; i++) {
		int row = order[i];

		if ((dialled & (1u << row)) || is_drained(s, (unsigned)row))
			continue;
		if (!s->monitored || health_state(&s->target[row]->health) == HEALTH_HEALTHY)
			return row;
		if (failed < 0)
			failed = row;
	}
	return failed;
}

int service_current(const struct service *s)
{
	unsigned first = first_level(s);

	for (unsigned i = level_begin(s, first); i < s->level_end[first]; i++)
		if (works(s, s->order[i]))
			return s->order[i];
	return service_next(s, s->order, 0);
}

static unsigned level_of(const struct service *s, unsigned row)
{
	unsigned level = 0;

	while (s->level_end[level] <= s->place[row])
		level++;
	return level;
}

bool service_has_other(const struct service *s, const struct target *t)
{
	bool all = s->rule->balance == RULE_BALANCE_ORDER;
	unsigned mine = 0;

	while (mine < s->n && s->target[mine] != t)
		mine++;
	for (unsigned row = 0; mine < s->n && row < s->n; row++)
		if (row != mine && works(s, row) && (all || level_of(s, row) == level_of(s, mine)))
			return true;
	return false;
}

bool service_takes_new(const struct service *s, unsigned row)
{
	int current = service_current(s);

	if (current < 0 || (unsigned)current == row || !works(s, (unsigned)current))
		return (unsigned)current == row;
	return works(s, row) && level_of(s, row) == level_of(s, (unsigned)current);
}
