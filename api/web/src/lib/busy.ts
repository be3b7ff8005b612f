// SPDX-License-Identifier: MIT
// How much each rule carries now: its bytes over the last minute. Pure.
import type { Rule } from "./types";

const WINDOW_MS = 60_000;

export interface Load {
	rule: Rule;
	/** Bytes a second, null: seen only once. */
	rate: number | null;
	bytes: number;
}

const bytesOf = (r: Rule) => (r.stats?.bytes_in ?? 0) + (r.stats?.bytes_out ?? 0);

export class Busy {
	private seen: { at: number; bytes: Map<number, number> }[] = [];

	add(at: number, rules: Rule[]): void {
		this.seen.push({ at, bytes: new Map(rules.map(r => [r.id, bytesOf(r)])) });
		while (this.seen.length > 2 && at - (this.seen[1]?.at ?? at) >= WINDOW_MS)
			this.seen.shift();
	}

	private rate(id: number): number | null {
		const last = this.seen[this.seen.length - 1];
		const first = this.seen.find(s => s.bytes.has(id));
		if (!first || !last || first === last) return null;
		const grown = (last.bytes.get(id) ?? 0) - (first.bytes.get(id) ?? 0);
		return Math.max(0, grown) / ((last.at - first.at) / 1000);
	}

	/** The @n that carry most now, then those that carried most ever; none that carried nothing. */
	top(rules: Rule[], n: number): Load[] {
		return rules
			.map(rule => ({ rule, rate: this.rate(rule.id), bytes: bytesOf(rule) }))
			.filter(l => l.bytes > 0)
			.sort((a, b) => (b.rate ?? 0) - (a.rate ?? 0) || b.bytes - a.bytes)
			.slice(0, n);
	}
}
