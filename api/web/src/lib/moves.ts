// SPDX-License-Identifier: MIT
// Which changes of health moved new connections to another target, and which only concerned spare ones. Pure.
import { choose, endpoint, type HealthKind } from "./rule";
import type { HealthChange } from "./types";

export interface Move {
	change: HealthChange;
	/** The row that took over; -1: none was left; null: new connections stayed where they were. */
	to: number | null;
	/** Another target than the last one took over: the same one coming back is no move. */
	counts: boolean;
}

/** The row that carries new connections, -1 when all have failed. */
function carrier(health: HealthKind[], drained: number[]): number {
	const { index, why } = choose(health, drained);
	return why === "all-failed" || why === "drained" ? -1 : index;
}

/** How a rule chooses, as far as it is not the plain order. */
export interface Policy {
	/** Rows of one group share new connections, so among them nothing moves. */
	groupOf?: (row: number) => number;
	/** Who takes new connections keeps them while it is healthy. */
	manual?: boolean;
}

/**
 * @names and @health are the targets as they are now, @changes what was remembered of them, newest
 * first. Gives the same changes, newest first, each with what it moved.
 */
export function movesOf(
	names: string[],
	health: HealthKind[],
	drained: number[],
	changes: HealthChange[],
	{ groupOf = row => row, manual = false }: Policy = {},
): Move[] {
	const state = health.slice();
	const rowOf = (c: HealthChange) => names.indexOf(endpoint(c.host, c.port));
	// Back to how it was before the first of them …
	for (const c of changes) {
		const row = rowOf(c);
		if (row >= 0) state[row] = c.failed ? "healthy" : "failed";
	}
	// … and forward again.
	let at = carrier(state, drained);
	let last = at;
	const moves: Move[] = [];
	const forward = changes.slice().reverse();
	forward.forEach((change, i) => {
		const row = rowOf(change);
		if (row >= 0) state[row] = change.failed ? "failed" : "healthy";
		// What one report says happened at once: only its end moved anything.
		const more = forward[i + 1]?.at_unix_ms === change.at_unix_ms;
		const holds = (_: HealthKind, r: number) =>
			at >= 0 && groupOf(r) === groupOf(at) && state[r] === "healthy";
		const next = more || (manual && state.some(holds)) ? at : carrier(state, drained);
		const group = (r: number) => (r < 0 ? r : groupOf(r));
		moves.push({
			change,
			to: group(next) === group(at) ? null : next,
			counts: next >= 0 && last >= 0 && group(next) !== group(last),
		});
		at = next;
		if (next >= 0) last = next;
	});
	return moves.reverse();
}
