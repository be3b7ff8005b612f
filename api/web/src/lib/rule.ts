// SPDX-License-Identifier: MIT
// What a rule's figures mean: its state, the health of its targets, where new connections go. Pure.
import type { Rule, Stats, Target, TargetStats } from "./types";

export type StateKind = "active" | "pending" | "failed" | "removed" | "unknown";
export interface RuleState {
	kind: StateKind;
	reason: string;
}

const KINDS: StateKind[] = ["active", "pending", "failed", "removed"];

function kindOf(text: string): StateKind {
	const low = text.toLowerCase() as StateKind;
	return KINDS.includes(low) ? low : "unknown";
}

function reasonOf(value: unknown): string {
	if (typeof value === "string") return value;
	if (value && typeof value === "object" && "reason" in value) return String(value.reason);
	return "";
}

/** Accepts "active", "Active", "Failed: why", {kind, reason} and {failed: {reason}}. */
export function parseState(state: unknown): RuleState {
	if (typeof state === "string") {
		const [kind = "", ...why] = state.split(":");
		return { kind: kindOf(kind.trim()), reason: why.join(":").trim() };
	}
	if (!state || typeof state !== "object") return { kind: "unknown", reason: "" };
	if ("kind" in state) return { kind: kindOf(String(state.kind)), reason: reasonOf(state) };
	for (const [key, value] of Object.entries(state))
		if (kindOf(key) !== "unknown")
			return { kind: kindOf(key), reason: reasonOf(value) };
	return { kind: "unknown", reason: "" };
}

/** The header of the PROXY protocol that a target gets: "v2+unique_id"; "": none. */
export function headerText(x: Pick<Target, "proxy_protocol" | "proxy_protocol_tlvs">): string {
	return x.proxy_protocol
		? [x.proxy_protocol, ...(x.proxy_protocol_tlvs ?? [])].join("+")
		: "";
}

export type HealthKind = "healthy" | "failed" | "unknown";

/** The rows of the stream; none before the edge's first report, when all their figures are zero. */
export function liveRows(stats?: Stats | null): TargetStats[] {
	const reported = stats && !(stats.stale && !stats.report_age_ms);
	return (reported && stats.per_target) || [];
}

/** The stream's word counts more than the list's. */
export function healthOf(target: Target, live?: TargetStats): HealthKind {
	if (live) return live.health === 0 ? "healthy" : "failed";
	if (!target.health) return "unknown";
	return target.health.healthy ? "healthy" : "failed";
}

export interface Choice {
	/** The row that takes new connections first; -1: none, every target is drained. */
	index: number;
	why: "single" | "preferred" | "fallback" | "manual" | "all-failed" | "drained" | "unknown";
}

/**
 * Where the next connection goes: the first Healthy target by preference, else, when all have
 * failed, the first one. Targets are in order of preference; drained ones take none.
 */
export function choose(health: HealthKind[], drained: number[] = []): Choice {
	const open = health.map((_, i) => i).filter(i => !drained.includes(i));
	if (health.length === 0 || open.length === 0) return { index: -1, why: "drained" };
	if (health.length === 1) return { index: 0, why: "single" };
	const first = open.find(i => health[i] !== "failed");
	if (first === undefined) return { index: open[0] ?? 0, why: "all-failed" };
	if (health[first] === "unknown") return { index: first, why: "unknown" };
	return { index: first, why: first === 0 ? "preferred" : "fallback" };
}

export function drainedOf(rule: Rule, stats?: Stats | null): number[] {
	const rows = liveRows(stats);
	if (rows.length) return rows.filter(t => t.drained).map(t => t.index);
	return rule.stats?.drained ?? [];
}

/** Whether targets of equal priority share new connections. */
export function shares(rule: Rule): boolean {
	return !!rule.balance && rule.balance !== "order";
}

/** The row by which the group of row @i is known: the first of its priority, or itself. */
export function groupOf(rule: Rule, i: number): number {
	if (!shares(rule)) return i;
	const first = rule.targets.findIndex(x => x.priority === rule.targets[i]?.priority);
	return first < 0 ? i : first;
}

/** The rows that new connections go to: several where they are shared. */
export function takersOf(rule: Rule, stats?: Stats | null): number[] {
	const said = liveRows(stats).filter(x => x.takes_new);
	if (said.length) return said.map(x => x.index);
	const { index } = choiceOf(rule, stats);
	if (index < 0 || !shares(rule)) return index < 0 ? [] : [index];
	const drained = drainedOf(rule, stats);
	return rule.targets
		.map((_, i) => i)
		.filter(
			i =>
				groupOf(rule, i) === groupOf(rule, index) &&
				!drained.includes(i) &&
				rule.targets[i]?.health?.healthy !== false,
		);
}

export function choiceOf(rule: Rule, stats?: Stats | null): Choice {
	const rows = liveRows(stats);
	const choice = choiceByHealth(rule, rows, stats);
	const kept = rows.find(x => x.takes_new)?.index ?? choice.index;
	// A better one is back, and who took over keeps new connections until somebody says otherwise.
	if (rule.failback === "manual" && groupOf(rule, kept) > groupOf(rule, choice.index))
		return { index: kept, why: "manual" };
	return choice;
}

function choiceByHealth(rule: Rule, rows: TargetStats[], stats?: Stats | null): Choice {
	const health = rule.targets.map((t, i) =>
		healthOf(
			t,
			rows.find(r => r.index === i),
		),
	);
	const choice = choose(health, drainedOf(rule, stats));
	// Within a group nobody stands in for another.
	if (choice.why === "fallback" && groupOf(rule, choice.index) === groupOf(rule, 0))
		return { ...choice, why: "preferred" };
	return choice;
}

/** "host:port", an IPv6 literal in brackets */
export function endpoint(host: string, port: number): string {
	return host.includes(":") && !host.startsWith("[")
		? `[${host}]:${port}`
		: `${host}:${port}`;
}

export function listenText(rule: Rule): string {
	const at = rule.listen_address
		? endpoint(rule.listen_address, rule.listen_port)
		: `:${rule.listen_port}`;
	return rule.listen_port_end && rule.listen_port_end !== rule.listen_port
		? `${at}–${rule.listen_port_end}`
		: at;
}

export function failedTargets(rule: Rule): number {
	return rule.targets.filter(t => t.health?.healthy === false).length;
}

/** What a text filter looks at, in lower case. */
export function searchText(rule: Rule): string {
	const targets = rule.targets.map(t => endpoint(t.host, t.port)).join(" ");
	const name = rule.sni_pattern ?? "";
	return `#${rule.id} ${rule.client_name} ${listenText(rule)} ${name} ${targets} ${rule.owner_user_id}`.toLowerCase();
}

export type StateFilter = "" | StateKind | "trouble";

export interface RuleFilter {
	text: string;
	edge: string;
	state: StateFilter;
}

export function inTrouble(rule: Rule): boolean {
	return parseState(rule.state).kind === "failed" || failedTargets(rule) > 0;
}

/** Every word of the text has to be there. */
export function filterRules(rules: Rule[], f: RuleFilter): Rule[] {
	const words = f.text.toLowerCase().split(/\s+/).filter(Boolean);
	return rules.filter(r => {
		if (f.edge && r.client_name !== f.edge) return false;
		if (
			f.state === "trouble"
				? !inTrouble(r)
				: f.state && parseState(r.state).kind !== f.state
		)
			return false;
		const text = words.length ? searchText(r) : "";
		return words.every(w => text.includes(w));
	});
}
